//go:build linux && !android && cgo && !novulkan

package gpu_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/shaders"
)

// tolerance is that of float32 sums over at most 200 products, each rounded once, and of the erf polynomial.
const tolerance = 2e-5

// TestSuite runs every operator with the variants that the device prefers.
func TestSuite(t *testing.T) {
	gputest.Require(t)
	backendtest.Run(t, gputest.Open, tolerance)
}

// TestVectorWidths runs the operators whose threads fetch in turns with the other sizes of subgroups that Mesa's software driver
// has, on CPUs with vectors of 128 and of 512 bits. It decides that once a process.
func TestVectorWidths(t *testing.T) {
	gputest.Require(t)
	suites := []string{"linear", "linear_int8", "int8_sums", "int8_values", "linear_bwd_x_int8", "attention", "adaptdown", "matmul", "patchembed"}
	for _, bits := range []string{"128", "512"} {
		t.Run(bits, func(t *testing.T) {
			run := exec.Command(os.Args[0], "-test.run", "^TestVectorWidth$|^TestSuite$/^("+strings.Join(suites, "|")+")$", "-test.v")
			run.Env = append(os.Environ(), vectorWidth+"="+bits)
			out, err := run.CombinedOutput()
			if passed := strings.Count(string(out), "    --- PASS: TestSuite/"); err != nil || passed < len(suites) {
				t.Fatalf("%v, %d suites passed of %d:\n%s", err, passed, len(suites), out)
			}
		})
	}
}

const vectorWidth = "LP_NATIVE_VECTOR_WIDTH"

// TestVectorWidth: the software driver has the vectors that it is asked for, so that TestVectorWidths tests what it says.
func TestVectorWidth(t *testing.T) {
	be := gputest.Open(t)
	defer be.Close()
	if bits, name := os.Getenv(vectorWidth), be.Info().Name; bits != "" && !strings.Contains(name, bits+" bits") {
		t.Errorf("%s with vectors of %s bits asked for", name, bits)
	}
}

// TestBaseVariants runs every operator with the variants that every device gets, within the exact bounds of each buffer.
func TestBaseVariants(t *testing.T) {
	gputest.Require(t)
	backendtest.Run(t, func(t *testing.T) backend.Backend {
		return gputest.OpenWith(t, gpu.Options{Untested: true, As: new(shaders.Feature), RobustAccess: true})
	}, tolerance)
}

// TestFamilyVariants runs every operator with the variants that GPUs with many registers a thread get.
func TestFamilyVariants(t *testing.T) {
	gputest.Require(t)
	for _, has := range familyFeatures() {
		t.Run(has.String(), func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backend.Backend {
				return gputest.OpenWith(t, gpu.Options{Untested: true, As: &has, RobustAccess: true})
			}, tolerance)
		})
	}
}

// TestDotVariants runs the int8 layers with packed dot products, which the software driver emulates: as tiles in shared
// memory, and without.
func TestDotVariants(t *testing.T) {
	gputest.Require(t)
	for _, has := range []shaders.Feature{shaders.IntegerDotProduct | shaders.SharedMemory, shaders.IntegerDotProduct} {
		t.Run(has.String(), func(t *testing.T) {
			backendtest.Run(t, func(t *testing.T) backend.Backend {
				return gputest.OpenWith(t, gpu.Options{Untested: true, As: &has, RobustAccess: true})
			}, tolerance, "int8_sums", "int8_values")
		})
	}
}

// familyFeatures are the sets of features by which families differ, beyond none: each once, as far as some row asks for it.
func familyFeatures() []shaders.Feature {
	var asked shaders.Feature
	for _, k := range shaders.All() {
		asked |= k.Needs
	}
	var sets []shaders.Feature
	for _, f := range shaders.Families() {
		if has := f.Has & asked; has != 0 && !slices.Contains(sets, has) {
			sets = append(sets, has)
		}
	}
	return sets
}

// TestPoisoned runs every operator over memory full of NaN: nobody may use what a run has not written.
func TestPoisoned(t *testing.T) {
	gputest.Require(t)
	backendtest.Run(t, func(t *testing.T) backend.Backend { return poisoned{gputest.Open(t)} }, tolerance)
}

type poisoned struct{ backend.Backend }

func (b poisoned) Compile(p *backend.Program) (backend.Executable, error) {
	e, err := b.Backend.Compile(p)
	if err != nil {
		return nil, err
	}
	return poisonedRun{e}, nil
}

// CompileTimed implements backend.Profiler.
func (b poisoned) CompileTimed(p *backend.Program) (backend.Timed, error) {
	e, err := b.Backend.(backend.Profiler).CompileTimed(p)
	if err != nil {
		return nil, err
	}
	return poisonedTimed{e}, nil
}

type poisonedTimed struct{ backend.Timed }

func (e poisonedTimed) Run(ctx context.Context) error {
	if err := gpu.Poison(e.Timed); err != nil {
		return err
	}
	return e.Timed.Run(ctx)
}

type poisonedRun struct{ backend.Executable }

func (e poisonedRun) Run(ctx context.Context) error {
	if err := gpu.Poison(e.Executable); err != nil {
		return err
	}
	return e.Executable.Run(ctx)
}

func TestOpen(t *testing.T) {
	gputest.Require(t)
	devices, err := gpu.Devices()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{devices[0].ID, devices[0].UUID, strings.ToUpper(devices[0].UUID)} {
		be, err := gpu.Open(id, gpu.Options{})
		if err != nil {
			t.Errorf("%q: %v", id, err)
			continue
		}
		if be.Info() != devices[0] {
			t.Errorf("%q opens %v, expected %v", id, be.Info(), devices[0])
		}
		be.Close()
	}
	for _, id := range []string{"vulkan:99", "vulkan:-1", "vulkan", "cpu", ""} {
		if _, err := gpu.Open(id, gpu.Options{}); !errors.Is(err, backend.ErrNoDevice) {
			t.Errorf("%q: %v, expected %v", id, err, backend.ErrNoDevice)
		}
	}
}

// TestRefuses: what belongs to another device, and labels that no kernel could report.
func TestRefuses(t *testing.T) {
	gputest.Require(t)
	be, other := gputest.Open(t), gputest.Open(t)
	defer be.Close()
	defer other.Close()
	b, err := other.NewBuffer("b", 4)
	if err != nil {
		t.Fatal(err)
	}
	r := backend.NewRecorder()
	r.Scale(r.Param("p", b, 0, 4), 2)
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := be.Compile(p); err == nil || !strings.Contains(err.Error(), "another device") {
		t.Errorf("parameter of another device: %v", err)
	}

	r = backend.NewRecorder()
	target := r.InputInts("target", 2)
	r.CrossEntropy(r.Input("logits", 2, 3), target, 1, 0)
	if p, err = r.Finish(); err != nil {
		t.Fatal(err)
	}
	e, err := be.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, labels := range [][]int32{{0, 3}, {-1, 0}} {
		if err := e.WriteInts(target, labels); err == nil {
			t.Errorf("wrote the labels %v of 3 classes", labels)
		}
	}
	if err := e.WriteInts(target, []int32{2, 0}); err != nil {
		t.Error(err)
	}
}
