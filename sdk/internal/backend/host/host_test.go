package host_test

import (
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
)

func TestReference(t *testing.T) {
	backendtest.Run(t, func(*testing.T) backend.Backend { return host.NewReference() }, 1e-9)
}

// TestFloat32 is the frame of the CPU backend: only loads and stores are rounded. It also shows that the suite
// reaches the whole vocabulary.
func TestFloat32(t *testing.T) {
	seen := map[string]bool{}
	backendtest.Run(t, func(*testing.T) backend.Backend {
		return host.New(host.Options[float32]{Info: backend.Info{ID: "float32", Kind: "cpu", Int8: true},
			Kernel: func(_ *host.Executable[float32], op backend.Op) func() error {
				seen[op.Name()] = true
				return nil
			}})
	}, 1e-6)
	if strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
		return // only a part of the suite was asked for
	}
	for _, word := range vocabulary(t) {
		if !seen[word] {
			t.Errorf("the suite never runs %s", word)
		}
	}
}

// vocabulary reads the operators' words from the source of package backend.
func vocabulary(t *testing.T) []string {
	files, err := filepath.Glob("../*.go")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\) Name\(\) string \{ return "(\w+)" \}`).FindAllSubmatch(text, -1) {
			words = append(words, string(m[1]))
		}
	}
	if len(words) < 20 {
		t.Fatalf("found only %q", words)
	}
	return words
}

// program is y = 2 (x wᵀ + bias), with the pieces that a test needs.
func program(t *testing.T, be backend.Backend) (p *backend.Program, x, y backend.Value, w backend.Weight, bias backend.Buffer) {
	t.Helper()
	w, err := be.NewWeight("w", quant.Matrix{Scheme: quant.Q8C, Rows: 1, Cols: 2, Int8: []int8{2, 4}, Scale: []float32{0.5}})
	if err != nil {
		t.Fatal(err)
	}
	if bias, err = be.NewBuffer("bias", 1); err != nil {
		t.Fatal(err)
	}
	r := backend.NewRecorder()
	x = r.Input("x", 1, 2)
	y = r.Output(r.Scale(r.Linear(x, backend.Frozen{W: w, Bias: bias}), 2), "y")
	if p, err = r.Finish(); err != nil {
		t.Fatal(err)
	}
	return p, x, y, w, bias
}

// doubled is a packing of its own: the matrix and a mark that a kernel can find.
type doubled struct{ quant.Matrix }

func (doubled) Bytes() int { return 1000 }

// TestExtension: a kernel in front of ref is asked once for each operator, runs at every run, finds its packing and
// its memory, and its scratch is accounted for; what it leaves goes to ref.
func TestExtension(t *testing.T) {
	asked, ran := 0, 0
	be := host.New(host.Options[float32]{
		Pack: func(m quant.Matrix) (host.Packed, error) { return doubled{m}, nil },
		Kernel: func(e *host.Executable[float32], op backend.Op) func() error {
			asked++
			o, ok := op.(*backend.Linear)
			if !ok {
				return nil
			}
			w := e.Weight(o.W).(doubled)
			scratch := e.Scratch(2)
			return func() error {
				ran++
				w.DequantizeRow(scratch, 0)
				x := e.Floats(o.X)
				e.Floats(o.Y)[0] = x[0]*scratch[0] + x[1]*scratch[1] + 100
				return nil
			}
		},
	})
	p, x, y, _, _ := program(t, be)
	before := be.MemoryInUse()
	if before != 1000+4 {
		t.Errorf("%d bytes for a packing of 1000 and a buffer of 4", before)
	}
	exec, err := be.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Close()
	const input, temporaries, scratch = 2, 2 * 16, 2
	if n := be.MemoryInUse() - before; n != 4*(input+temporaries+scratch) || n != exec.Bytes() {
		t.Errorf("%d bytes for the executable, which says %d", n, exec.Bytes())
	}
	got := []float32{0}
	for range 2 {
		if err := errors.Join(exec.WriteFloats(x, []float32{3, 5}), exec.Run(context.Background()), exec.ReadFloats(y, got)); err != nil {
			t.Fatal(err)
		}
	}
	if got[0] != 2*(3+10+100) || asked != 2 || ran != 2 {
		t.Errorf("got %v after asking %d times and running %d times", got, asked, ran)
	}
}

func TestPackError(t *testing.T) {
	fault := errors.New("no room")
	be := host.New(host.Options[float32]{Pack: func(quant.Matrix) (host.Packed, error) { return nil, fault }})
	_, err := be.NewWeight("qkv", quant.Matrix{Scheme: quant.F32, Rows: 1, Cols: 1, Float: []float32{1}})
	if !errors.Is(err, fault) || !strings.Contains(err.Error(), "qkv") || be.MemoryInUse() != 0 {
		t.Errorf("%v, %d bytes in use", err, be.MemoryInUse())
	}
	for _, m := range []quant.Matrix{
		{Scheme: quant.F32, Rows: 2, Cols: 1, Float: []float32{1}},
		{Scheme: quant.Q8C, Rows: 1, Cols: 1, Float: []float32{1}},
		{Scheme: quant.Q8C, Rows: 1, Cols: 1, Int8: []int8{1}, Scale: []float32{1, 2}},
		{Scheme: quant.F16},
	} {
		if _, err := host.NewReference().NewWeight("w", m); err == nil {
			t.Errorf("%+v passes", m)
		}
	}
}

// TestCompileRefuses another device's objects, and closed ones.
func TestCompileRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(w backend.Weight, bias backend.Buffer) error
		other bool
		is    error
		says  string
	}{
		{"another device", nil, true, nil, "another device"},
		{"closed weight", func(w backend.Weight, _ backend.Buffer) error { return w.Close() }, false, backend.ErrClosed, "linear: weight w"},
		{"closed buffer", func(_ backend.Weight, b backend.Buffer) error { return b.Close() }, false, backend.ErrClosed, "buffer bias"},
	} {
		be, on := host.NewReference(), host.NewReference()
		if !c.other {
			on = be
		}
		p, _, _, w, bias := program(t, be)
		if c.spoil != nil {
			if err := c.spoil(w, bias); err != nil {
				t.Fatal(err)
			}
		}
		before := on.MemoryInUse()
		_, err := on.Compile(p)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
		if n := on.MemoryInUse(); n != before {
			t.Errorf("%s: %d bytes stay in use", c.name, n-before)
		}
	}
}

// TestReferenceIsFloat64: a temporary of the reference keeps what float32 would lose.
func TestReferenceIsFloat64(t *testing.T) {
	for name, c := range map[string]struct {
		be   backend.Backend
		want float32
	}{
		"float64": {host.NewReference(), 1},
		"float32": {host.New(host.Options[float32]{}), 0},
	} {
		r := backend.NewRecorder()
		big, one := r.Input("big", 1), r.Input("one", 1)
		y := r.Output(r.Add(r.Add(big, one), r.Scale(big, -1)), "y")
		p, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		exec, err := c.be.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		got := []float32{float32(math.NaN())}
		if err := errors.Join(exec.WriteFloats(big, []float32{1 << 25}), exec.WriteFloats(one, []float32{1}),
			exec.Run(context.Background()), exec.ReadFloats(y, got)); err != nil || got[0] != c.want {
			t.Errorf("%s: %v, expected %v; %v", name, got, c.want, err)
		}
	}
}

// TestRunErrors name the operator and the datum.
func TestRunErrors(t *testing.T) {
	be := host.NewReference()
	r := backend.NewRecorder()
	target := r.InputInts("target", 2)
	r.CrossEntropy(r.Input("z", 2, 3), target, 1, 0)
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	exec, err := be.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec.WriteInts(target, []int32{0, 3}); err != nil {
		t.Fatal(err)
	}
	if err := exec.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "crossentropy: target [1] is 3") {
		t.Errorf("got %v", err)
	}
}
