package cpu

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// branchless records one block with int8 activations. Where keep is set, the values between its operators are outputs
// too, which makes them float32.
func (e *encoder) branchless(r *backend.Recorder, keep bool) (x, y backend.Value) {
	between := func(v backend.Value) backend.Value {
		if keep {
			return r.Output(v, "between")
		}
		return v
	}
	layer := func(f backend.Frozen, block int) backend.Frozen {
		f.Block = block
		return f
	}
	x = r.Input("x", e.heads.Batch*e.heads.Tokens, e.dim)
	n1, _ := r.LayerNorm(x, e.norm)
	o, _ := r.Attention(r.Linear(between(n1), layer(e.qkv, quant.PerToken)), e.heads)
	mid := r.LinearResidual(between(o), layer(e.proj, quant.ActivationBlock), x)
	n2, _ := r.LayerNorm(mid, e.norm)
	z, _ := r.LinearGELU(between(n2), layer(e.fc1, quant.PerToken), false)
	return x, r.Output(r.LinearResidual(between(z), layer(e.fc2, quant.ActivationBlock), mid), "y")
}

// TestRounded: values that exist as int8 only have the bits of those that are float32 first, and are found.
func TestRounded(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		if set.GemmInt8 == nil {
			t.Skip("the set has no int8 product")
		}
		sets := []*simd.Set{set}
		if set.Pairs != nil { // the other form of activations
			without := *set
			without.Pairs = nil
			sets = append(sets, &without)
		}
		for _, set := range sets {
			testRounded(t, set, 1, 5, 128, 2, 4)  // heads of 64: all four
			testRounded(t, set, 3, 37, 128, 2, 4) // more rows than a task
			testRounded(t, set, 2, 7, 96, 3, 3)   // heads of 32: attention's blocks are two heads
		}
	})
}

func testRounded(t *testing.T, set *simd.Set, batch, tokens, dim, heads, found int) {
	t.Helper()
	d := mustOpen(t, 2, set)
	defer d.Close()
	e := newEncoder(t, d, allNumbers[0], batch, tokens, dim, heads, 8)
	defer e.close()
	in := normal(e.r, batch*tokens*dim)
	var results [2][]float32
	for i, keep := range []bool{false, true} {
		r := backend.NewRecorder()
		x, y := e.branchless(r, keep)
		p, err := r.Finish()
		e.check(err)
		exec, err := d.Compile(p)
		e.check(err)
		e.check(exec.WriteFloats(x, in))
		results[i] = run(t, exec, y, len(in))
		want := found
		if keep {
			want = 0
		}
		if set.NR > quant.ActivationBlock || quant.ActivationBlock%set.NR != 0 {
			want = -1 // GELU's parts are no whole blocks
		}
		if got := len(d.rounded(exec.(*executable))); want >= 0 && got != want {
			t.Errorf("%d tokens: %d values are left rounded, expected %d", tokens, got, want)
		}
		e.check(exec.Close())
	}
	for i := range results[0] {
		if results[0][i] != results[1][i] {
			t.Fatalf("%d tokens: [%d] is %v, rounded apart %v", tokens, i, results[0][i], results[1][i])
		}
	}
}
