// Package backendtest is the one test suite for all devices: each operator at odd sizes and in all weight schemes
// against the float64 reference and PyTorch's golden numbers, and the promises that hold for every Program.
package backendtest

import (
	"math"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
	"github.com/edgeadapt/edgeadapt/sdk/internal/golden"
)

// Tolerance bounds max|got - want| / max|want| of every output of a single operator. Outputs of a whole block and
// golden numbers, which carry PyTorch's own rounding, get a small multiple of it or an offset, stated where it is used.
type Tolerance float64

// suite is one device under test beside the reference.
type suite struct {
	be, ref backend.Backend
	tol     Tolerance
}

// Run runs the whole suite on the device that open opens, and closes it. Subtests are named by operator words, so that
// -run Suite/linear picks one; only, where there is any, leaves out the others.
func Run(t *testing.T, open func(t *testing.T) backend.Backend, tol Tolerance, only ...string) {
	s := suite{be: open(t), ref: host.NewReference(), tol: tol}
	for _, c := range []struct {
		name string
		test func(t *testing.T, s suite)
	}{
		{"elementwise", testElementwise},
		{"swiglu", testSwiGLU},
		{"layernorm", testLayerNorm},
		{"linear", testLinear},
		{"linear_int8", testLinearInt8},
		{"int8_sums", testInt8Sums},
		{"int8_values", testInt8Values},
		{"linear_bwd_x", testLinearBackward},
		{"linear_bwd_x_int8", testLinearBackwardInt8},
		{"linear_half", testLinearHalf},
		{"attention", testAttention},
		{"attention_half", testAttentionHalf},
		{"windowattention", testWindowAttention},
		{"patchmerge", testPatchMerge},
		{"adaptdown", testAdaptDown},
		{"mixed", testMixed},
		{"matmul", testMatMul},
		{"patchembed", testPatchEmbed},
		{"pool", testPool},
		{"batchnorm", testBatchNorm},
		{"loss", testLoss},
		{"clipnorm", testClipNorm},
		{"sgd", testSGD},
		{"adamw", testAdamW},
		{"block", testBlock},
		{"golden", testGolden},
		{"timed", testTimed},
		{"lifecycle", testLifecycle},
	} {
		if len(only) == 0 || slices.Contains(only, c.name) {
			t.Run(c.name, func(t *testing.T) { c.test(t, s) })
		}
	}
	if n := s.be.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes in use after everything was closed", n)
	}
	for range 2 {
		if err := s.be.Close(); err != nil {
			t.Error(err)
		}
	}
	testClosed(t, s.be)
}

// check holds a case to the reference.
func (s suite) check(t *testing.T, name string, build func(g *graph)) {
	s.checkWithin(t, name, 1, build)
}

// checkWithin allows a multiple of the tolerance; callers say why.
func (s suite) checkWithin(t *testing.T, name string, multiple float64, build func(g *graph)) {
	t.Run(name, func(t *testing.T) {
		got, want := run(t, s.be, 0, build), s.expected(t, build)
		for _, name := range want.names {
			golden.RelMax(got.tensors[name].Data, want.tensors[name]).Check(t, name, multiple*float64(s.tol))
		}
	})
}

// rejects is the negative control: the reference of a case with one fault must differ from the device by well more
// than the tolerance, or the check above would prove nothing.
func (s suite) rejects(t *testing.T, name string, right, faulty func(g *graph)) {
	t.Run("rejects "+name, func(t *testing.T) {
		got, want := run(t, s.be, 0, right), s.expected(t, faulty)
		top := 0.0
		for _, name := range want.names {
			top = max(top, golden.RelMax(got.tensors[name].Data, want.tensors[name]).Error)
		}
		if top < 5*float64(s.tol) {
			t.Errorf("the faulty case differs by %.3g only, the tolerance is %.3g", top, s.tol)
		}
	})
}

// refuses: the device does not compile the case, and keeps nothing of it.
func (s suite) refuses(t *testing.T, build func(g *graph)) {
	t.Run("refuses", func(t *testing.T) {
		before := s.be.MemoryInUse()
		g := newGraph(t, s.be, 0)
		build(g)
		prog, err := g.Finish()
		g.must(err)
		if exec, err := s.be.Compile(prog); err == nil {
			g.must(exec.Close())
			t.Error("it compiled")
		}
		g.release()
		if n := s.be.MemoryInUse(); n != before {
			t.Errorf("%d bytes more in use after the case was closed", n-before)
		}
	})
}

// independent checks that an item's results have the same bits alone as in a batch of n: the first item and the last,
// which lies in another tile.
func (s suite) independent(t *testing.T, name string, n int, build func(g *graph, n int)) {
	t.Run(name+" batch independence", func(t *testing.T) {
		batch := run(t, s.be, 0, func(g *graph) { build(g, n) })
		for _, item := range []int{0, n - 1} {
			alone := run(t, s.be, item, func(g *graph) { build(g, 1) })
			for _, name := range alone.names {
				a := alone.tensors[name].Data
				sameBits(t, name, a, batch.tensors[name].Data[item*len(a):(item+1)*len(a)])
			}
		}
	})
}

func sameBits(t *testing.T, name string, a, b []float32) {
	t.Helper()
	if len(a) != len(b) {
		t.Errorf("%s: %d elements and %d", name, len(a), len(b))
		return
	}
	for i := range a {
		if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
			t.Errorf("%s: bits differ at [%d]: %v and %v", name, i, a[i], b[i])
			return
		}
	}
}
