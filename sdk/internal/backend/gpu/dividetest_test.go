//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
)

// tiny makes every operator too long for a submission.
const tiny = 100 * time.Microsecond

// dividedKernels are those of a layer and its gradient.
func dividedKernels(t *testing.T, d *device) (out []*shaders.Kernel) {
	t.Helper()
	for _, name := range []string{"linear_q8c", "linear_bwd_x_q8c"} {
		k, err := d.pick(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, k)
	}
	return out
}

// TestDividedVerdicts: the divided form of a kernel is tested when a Program first divides it, and not before; the verdict is kept.
func TestDividedVerdicts(t *testing.T) {
	dir := t.TempDir()
	d := openHere(t, Options{CacheDir: dir})
	layerBits(t, d, wordColumns*5)
	kernels := dividedKernels(t, d)
	for _, k := range kernels {
		if _, known := d.trust.of(k); !known {
			t.Errorf("no verdict on %s", k)
		}
		if v, known := d.trust.of(divided{k}); known {
			t.Errorf("%s was not divided and has a verdict, %+v", k, v)
		}
	}
	d = openHere(t, Options{CacheDir: dir, SegmentTime: tiny})
	if _, divisions := layerBits(t, d, wordColumns*5); divisions < 8 {
		t.Errorf("control: %d divisions", divisions)
	}
	for _, k := range kernels {
		if v, known := d.trust.of(divided{k}); !known || v.Fault != "" || v.Case == "" {
			t.Errorf("verdict on %s divided: %v, %+v", k, known, v)
		}
	}
	later := openHere(t, Options{CacheDir: dir, SegmentTime: tiny})
	runs := 0
	later.fault = func(_ *shaders.Kernel, groups int) int { runs++; return groups }
	if layerBits(t, later, wordColumns*5); runs != 2 {
		t.Errorf("control: %d dispatches for 2 operators in a later process", runs)
	}
}

// TestCheckDivided: what a check of a device says of kernels of every sort, forward, back, over rows and pairs.
func TestCheckDivided(t *testing.T) {
	d := openHere(t, Options{SegmentTime: tiny})
	for _, name := range []string{"add", "layernorm", "linear_gelu_q4ga8", "attention", "adaptdown", "biasgrad", "mixed_head", "crossentropy"} {
		k, err := d.pick(name, 0)
		if err != nil {
			t.Fatal(err)
		}
		var c backend.KernelCheck
		if err := d.checkKernel(context.Background(), k, &c); err != nil || c.Fault != "" || c.Divided != "ok" {
			t.Errorf("%s: %+v, %v", k, c, err)
		}
	}
}

// TestWrongDivided: with a driver that gets only the divided form of a kernel wrong, the kernel stays and is not divided any more.
func TestWrongDivided(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	want, _ := layerBits(t, openHere(t, Options{Untested: true}), wordColumns*5)
	same := func(y []float32) bool {
		return slices.EqualFunc(y, want, func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) })
	}
	_, divisions := layerBits(t, openHere(t, Options{Untested: true, SegmentTime: tiny}), wordColumns*5)
	for _, wrong := range dividedKernels(t, openHere(t, Options{})) {
		dir := t.TempDir()
		if err := c.Baseless(wrong, faulttest.AxisX); err != nil {
			t.Fatal(err)
		}
		if y, _ := layerBits(t, openHere(t, Options{Untested: true, SegmentTime: tiny}), wordColumns*5); same(y) || c.Hits() == 0 {
			t.Errorf("control: %s, wrong where it is divided, gives right results in %d parts", wrong, c.Hits())
		}
		for _, again := range []bool{false, true} { // as a first process, and as a later one
			d := openHere(t, Options{SegmentTime: tiny, CacheDir: dir})
			before := c.Hits()
			y, n := layerBits(t, d, wordColumns*5)
			if tested := c.Hits() > before; !same(y) || tested == again || n >= divisions || n == 0 {
				t.Errorf("%s, later %v: right %v, tested %v, %d divisions of %d", wrong, again, same(y), tested, n, divisions)
			}
			if v, _ := d.trust.of(divided{wrong}); v.Fault == "" || d.trust.failed(wrong) {
				t.Errorf("%s, later %v: verdict %+v, failed whole %v", wrong, again, v, d.trust.failed(wrong))
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		}
		d := openHere(t, Options{SegmentTime: tiny})
		var check backend.KernelCheck
		if err := d.checkKernel(context.Background(), wrong, &check); err != nil || check.Fault != "" || check.Divided == "ok" || check.Divided == "" {
			t.Errorf("%s: %+v, %v", wrong, check, err)
		}
		if err := c.Baseless(wrong, faulttest.AxisY); err != nil {
			t.Fatal(err)
		}
		d = openHere(t, Options{SegmentTime: tiny}) // with verdicts of its own
		if err := d.checkKernel(context.Background(), wrong, &check); err != nil || check.Divided == "ok" || c.Hits() == 0 {
			t.Errorf("%s, wrong along y: %+v, %v", wrong, check, err)
		}
	}
}
