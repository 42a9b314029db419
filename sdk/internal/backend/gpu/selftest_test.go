//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/selftest"
	"github.com/edgeadapt/edgeadapt/shaders"
)

// openHere opens the first device. Without one the test skips, or fails where there must be one.
func openHere(t *testing.T, o Options) *device {
	t.Helper()
	be, err := Open("vulkan:0", o)
	if err != nil && os.Getenv("EDGEADAPT_REQUIRE_VULKAN") == "1" {
		t.Fatalf("EDGEADAPT_REQUIRE_VULKAN is set: %v", err)
	}
	if err != nil {
		t.Skipf("no Vulkan device: %v", err)
	}
	t.Cleanup(func() { be.Close() })
	return be.(*device)
}

// frozenHere is w with a bias of zeros on d, until the test ends.
func frozenHere(t *testing.T, d *device, w quant.Matrix) backend.Frozen {
	t.Helper()
	weight, err := d.NewWeight("w", w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { weight.Close() })
	bias, err := d.NewBuffer("bias", w.Rows)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bias.Close() })
	return backend.Frozen{W: weight, Bias: bias}
}

// TestCasesCoverTheTable: every variant that the device supports is run by a case and divided by one, save those that no Program
// uses, and cases run the kernels that they name.
func TestCasesCoverTheTable(t *testing.T) {
	d := openHere(t, Options{})
	left := map[string]bool{}
	for _, k := range shaders.All() {
		left[k.String()] = !slices.Contains(apart, k.Name) && k.Needs&^d.dev.Info().Supported == 0
		left[divided{k}.String()] = left[k.String()]
	}
	for _, c := range selftest.Cases() {
		names := map[string]bool{} // at any size: heads of odd width take other kernels
		for _, s := range selftest.Sizes {
			for _, name := range c.Kernels {
				for _, k := range shaders.Variants(name) {
					probe := d.tester(map[string]*shaders.Kernel{name: k}, k)
					probe.row = shortRow // what is divided so is divided along one row too
					used, parts, err := probe.tryNothing(c, s)
					if err != nil {
						t.Fatalf("%s %s: %v", c.Name, s, err)
					}
					for _, used := range used {
						names[used.Name] = true
						left[used.String()] = false
					}
					for _, k := range parts {
						left[k.String()] = false
					}
				}
			}
		}
		for name := range names {
			if !slices.Contains(c.Kernels, name) {
				t.Errorf("%s uses %s, which it does not name", c.Name, name)
			}
		}
		for _, name := range c.Kernels {
			if !names[name] {
				t.Errorf("%s does not use %s", c.Name, name)
			}
		}
	}
	for name, missing := range left {
		if missing {
			t.Errorf("no case runs %s", name)
		}
	}
}

// tryNothing compiles a case and says what it would use, and divide.
func (d *device) tryNothing(c selftest.Case, s selftest.Size) (used []*shaders.Kernel, parts []divided, err error) {
	_, err = c.Check(context.Background(), d, s, func(e backend.Executable) bool {
		used, parts = e.(*executable).used, e.(*executable).divided
		return false
	})
	if errors.Is(err, backend.ErrFaulty) { // rows that the variant does not serve have no kernel left
		err = nil
	}
	return used, parts, err
}

// TestCheck: the software driver gets every kernel right.
func TestCheck(t *testing.T) {
	d := openHere(t, Options{})
	var told, all int
	checks, err := Check(context.Background(), d.info.ID, Options{}, false, func(done, of int) {
		if told++; done != told {
			t.Errorf("%d kernels done after %d calls", done, told)
		}
		all = of
	})
	if err != nil {
		t.Fatal(err)
	}
	if told != len(checks) || all != told {
		t.Errorf("told of %d kernels of %d, checked %d", told, all, len(checks))
	}
	used := 0
	for _, c := range checks {
		if c.Fault != "" {
			t.Errorf("%s/%s: %s: %s", c.Kernel, c.Variant, c.Case, c.Fault)
		}
		if c.Used {
			used++
		}
	}
	if err := backend.Usable(checks); err != nil || used == 0 {
		t.Errorf("%d of %d variants are used, %v", used, len(checks), err)
	}
	if checks, err = Check(context.Background(), d.info.ID, Options{}, true, nil); err != nil || len(checks) < used {
		t.Errorf("%d pipelines: %v", len(checks), err)
	}
	for _, c := range checks {
		if c.Fault != "" {
			t.Errorf("pipeline of %s/%s: %s", c.Kernel, c.Variant, c.Fault)
		}
	}
}

// dropTail leaves out the last group of the dispatches of these variants, as a driver with a wrong grid would.
func dropTail(variants ...string) func(*shaders.Kernel, int) int {
	return func(k *shaders.Kernel, groups int) int {
		if slices.Contains(variants, k.String()) {
			return max(1, groups-1)
		}
		return groups
	}
}

// layer runs one int8 layer and says which variant of its kernel it used.
func layer(t *testing.T, d *device) (string, error) {
	t.Helper()
	const n, k, m = 68, 64, 37
	got, used, err := runLayer(d, n, k, m)
	for i, v := range got {
		if v != 133*k/4 {
			t.Fatalf("y[%d] is %v, expected %d", i, v, 133*k/4)
		}
	}
	return used, err
}

// runLayer makes an int8 layer [n, k], multiplies m rows of ones with it and frees everything.
func runLayer(d *device, n, k, m int) (y []float32, used string, err error) {
	w, err := quant.Quantize(quant.Q8C, slices.Repeat([]float32{1, 2, 3, 127}, n*k/4), n, k)
	if err != nil {
		return nil, "", err
	}
	weight, err := d.NewWeight("w", w)
	if err != nil {
		return nil, "", err
	}
	defer weight.Close()
	bias, err := d.NewBuffer("bias", n)
	if err != nil {
		return nil, "", err
	}
	defer bias.Close()
	r := backend.NewRecorder()
	x := r.Input("x", m, k)
	v := r.Output(r.Linear(x, backend.Frozen{W: weight, Bias: bias}), "y")
	p, err := r.Finish()
	if err != nil {
		return nil, "", err
	}
	e, err := d.Compile(p)
	if err != nil {
		return nil, "", err
	}
	defer e.Close()
	y = make([]float32, m*n)
	if err := e.WriteFloats(x, slices.Repeat([]float32{1}, m*k)); err != nil {
		return nil, "", err
	}
	if err := e.Run(context.Background()); err != nil {
		return nil, "", err
	}
	return y, e.(*executable).used[0].String(), e.ReadFloats(v, y)
}

// TestQuarantine: a variant that gets tails wrong gives way to the next row, now and in later processes; with another driver,
// other shaders or a damaged file it is tried again; where all rows are wrong the device is refused.
func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	d := openHere(t, Options{CacheDir: dir})
	rows := shaders.Variants("linear_q8c")
	first, err := d.pick("linear_q8c", 0)
	if err != nil {
		t.Fatal(err)
	}
	next := rows[len(rows)-1].String()
	d.fault = dropTail(first.String())
	if got, err := layer(t, d); err != nil || got == first.String() || d.trust.failed(first) != true {
		t.Fatalf("with a wrong %s: used %s, %v", first, got, err)
	}
	later := openHere(t, Options{CacheDir: dir})
	tested := false
	later.fault = func(k *shaders.Kernel, groups int) int { tested = tested || k == first; return groups }
	if got, err := layer(t, later); err != nil || got == first.String() || tested {
		t.Errorf("in a later process: used %s, tried %s: %v, %v", got, first, tested, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "selftest-*.json"))
	if len(files) != 1 {
		t.Fatalf("files %q", files)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"another driver": bytes.Replace(good, []byte(`"driver": "`), []byte(`"driver": "1`), 1), "cut": good[:len(good)-9], "none": nil} {
		if err := os.WriteFile(files[0], bad, 0o644); err != nil {
			t.Fatal(err)
		}
		again := openHere(t, Options{CacheDir: dir})
		if got, err := layer(t, again); err != nil || got != first.String() {
			t.Errorf("%s: used %s, %v", name, got, err)
		}
	}

	var all []string
	for _, k := range rows {
		all = append(all, k.String())
	}
	broken := openHere(t, Options{})
	broken.fault = dropTail(all...)
	if got, err := layer(t, broken); !errors.Is(err, backend.ErrFaulty) || !strings.Contains(fmt.Sprint(err), "linear_q8c") {
		t.Errorf("with every row wrong: used %s, %v (the last row is %s)", got, err, next)
	}
	if n := broken.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes in use after the refusal", n)
	}
}

// TestBlame: where a case of several kernels fails, the one at fault is found.
func TestBlame(t *testing.T) {
	d := openHere(t, Options{})
	wrong, err := d.pick("weightgrad", 0)
	if err != nil {
		t.Fatal(err)
	}
	d.fault = dropTail(wrong.String())
	for _, name := range []string{"weightgrad", "reduce", "biasgrad"} {
		k, err := d.pick(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.verifyOne(context.Background(), k); err != nil {
			t.Fatal(err)
		}
		if got := d.trust.failed(k); got != (k == wrong) {
			t.Errorf("%s failed: %v", k, got)
		}
	}
}
