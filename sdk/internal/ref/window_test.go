package ref

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/window"
)

// windowGradients are those of attention within shifted and padded windows, in both orders of the two.
func windowGradients() (cases []gradientCase) {
	for _, padFirst := range []bool{false, true} {
		w := Windows{Batch: 2, Count: 2, Dim: 3, Layout: window.Layout{PadFirst: padFirst,
			Rows: window.NewAxis(5, 4, 4, true), Columns: window.NewAxis(3, 4, 4, true)}}
		m, d := w.Batch*w.Tokens(), w.Count*w.Dim
		qkv, pad, table, do := random(1, m*3*d), random(2, 3*d), random(3, w.Entries()*w.Count), random(4, m*d)
		o, lse := make([]float64, m*d), make([]float64, w.Batch*w.Count*w.Tokens())
		loss := func() float64 {
			WindowAttention(o, lse, qkv, pad, table, w)
			return dot(o, do)
		}
		loss()
		dqkv := random(5, m*3*d) // whatever it held before must not matter
		WindowAttentionBackward(dqkv, make([]float64, len(lse)), qkv, pad, table, o, lse, do, w)
		cases = append(cases, gradientCase{fmt.Sprintf("windowattention, pad first %t", padFirst), qkv, loss, dqkv})
	}
	return cases
}

func mergeGradients() []gradientCase {
	g := Grid{Batch: 2, Rows: 3, Columns: 5, Dim: 3}
	const eps = 1e-2
	n := g.count()
	x, gamma, beta, dy := random(1, 2*15*3), random(2, 12), random(3, 12), random(4, n*12)
	y, mean, rstd := make([]float64, n*12), make([]float64, n), make([]float64, n)
	loss := func() float64 {
		PatchMerge(y, mean, rstd, x, gamma, beta, eps, g)
		return dot(y, dy)
	}
	loss()
	dx := random(5, len(x))
	PatchMergeBackward(dx, x, gamma, mean, rstd, dy, g)
	return []gradientCase{{"patchmerge", x, loss, dx}}
}

// TestWindowOfTheWholeGrid is full attention: one window without table.
func TestWindowOfTheWholeGrid(t *testing.T) {
	w := Windows{Batch: 2, Count: 2, Dim: 3, Layout: window.Layout{Rows: window.NewAxis(2, 7, 7, true), Columns: window.NewAxis(3, 7, 7, true)}}
	h := Heads{Batch: 2, Tokens: 6, Count: 2, Dim: 3}
	qkv := random(1, 2*6*18)
	o, lse, want, wantLSE := make([]float64, 72), make([]float64, 24), make([]float64, 72), make([]float64, 24)
	WindowAttention(o, lse, qkv, make([]float64, 18), make([]float64, w.Entries()*2), w)
	Attention(want, wantLSE, qkv, h)
	for i := range o {
		if math.Abs(o[i]-want[i]) > 1e-14 {
			t.Fatalf("o[%d] is %v, expected %v", i, o[i], want[i])
		}
	}
	for i := range lse {
		if math.Abs(lse[i]-wantLSE[i]) > 1e-14 {
			t.Fatalf("lse[%d] is %v, expected %v", i, lse[i], wantLSE[i])
		}
	}
}

// TestPatchMergeOrder: the square's rows change faster than its columns, and an odd side ends in zeros.
func TestPatchMergeOrder(t *testing.T) {
	x := []float64{1, 2, 3, 4, 5, 6} // 2 x 3
	got := merged(Grid{Batch: 1, Rows: 2, Columns: 3, Dim: 1}, x)
	wantValues(t, "squares", got, 1, 4, 2, 5, 3, 6, 0, 0)
}
