package backendtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/golden"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// halfLayer is a layer whose results are float16.
func (g *graph) halfLayer(x backend.Value, f backend.Frozen) backend.Value {
	f.Half = true
	return g.Linear(x, f)
}

// stored is x, of rows of n, as a layer that changes nothing stores it: as float16 where half says so.
func (g *graph) stored(x backend.Value, n int, half bool) backend.Value {
	same := make([]float32, n*n)
	for i := range n {
		same[i*n+i] = 1
	}
	f := g.layer(quant.F32, same, make([]float32, n), n)
	f.Half = half
	return g.Linear(x, f)
}

// halfSizes are m, n, k with rows of whole vectors: of one, of some panels of weights, with rests and without.
var halfSizes = []struct{ m, n, k int }{{1, 4, 1}, {7, 36, 5}, {37, 132, 197}, {65, 64, 64}}

// testLinearHalf: what is stored is what the sum rounds to. Sums in float32 differ from the reference's by some units, which moves
// those next to the middle between two halves to the other; they must be few, where truncation would move half of all.
func testLinearHalf(t *testing.T, s suite) {
	layer := func(scheme quant.Scheme, block, m, n, k int) func(g *graph) {
		return func(g *graph) {
			g.block = block
			g.read("y", g.halfLayer(g.items("x", m, m, k), g.frozen("w", scheme, n, k)))
		}
	}
	if !s.be.Info().Half {
		s.refuses(t, layer(quant.Q8C, 0, 7, 36, 5))
		return
	}
	for _, scheme := range []quant.Scheme{quant.Q8C, quant.Q4G, quant.F16, quant.F32} {
		for _, c := range halfSizes {
			s.halfCase(t, fmt.Sprintf("%s %dx%dx%d", scheme, c.m, c.n, c.k), layer(scheme, 0, c.m, c.n, c.k))
			if scheme.Integers() && c.m > 1 {
				s.halfCase(t, fmt.Sprintf("%sa8 %dx%dx%d", scheme, c.m, c.n, c.k), layer(scheme, quant.PerToken, c.m, c.n, c.k))
			}
		}
	}
	s.independent(t, "q8c", 70, func(g *graph, n int) { layer(quant.Q8C, 0, n, 64, 64)(g) })
	s.halfEnds(t)
}

// halfCase holds a case of one result to the reference.
func (s suite) halfCase(t *testing.T, name string, build func(g *graph)) {
	t.Run(name, func(t *testing.T) {
		got, want := run(t, s.be, 0, build).tensors["y"], s.expected(t, build).tensors["y"]
		flips, top := 0, 0.0
		for i, w := range want.Data {
			g := got.Data[i]
			if quant.FromF16(quant.ToF16(g)) != g {
				t.Fatalf("y[%d] = %v is no half", i, g)
			}
			top = max(top, math.Abs(float64(w)))
			if g != w {
				flips++
				if d := math.Abs(float64(g) - float64(w)); d > math.Abs(float64(w))*0x1p-10+ref.SmallestHalf {
					t.Errorf("y[%d] = %v, expected %v or its neighbour", i, g, w)
				}
			}
		}
		if most := 2 + len(want.Data)/100; flips > most {
			t.Errorf("%d of %d are the neighbours of what they should be, at most %d can be by rounding", flips, len(want.Data), most)
		}
	})
}

// halfEnds: ties and what float16 has no numbers for, bit by bit.
func (s suite) halfEnds(t *testing.T) {
	x := []float32{2049, 2051, 4098, 4102, 65504, 65505, 65519, 65520, 1e9, 3e38, ref.SmallestHalf, math.Nextafter32(ref.SmallestHalf, 0), 6e-8, 1e-30, 0, 1.0 / 3,
		1 + 0x1p-11, 1 + 3*0x1p-11, 1 + 0x1p-11 + 0x1p-23, 0.1}
	for _, v := range x {
		x = append(x, -v)
	}
	build := func(g *graph) { g.read("y", g.stored(g.input("x", x, 2, len(x)/2), len(x)/2, true)) }
	t.Run("ends", func(t *testing.T) {
		got, want := run(t, s.be, 0, build).tensors["y"], s.expected(t, build).tensors["y"]
		for i, w := range want.Data {
			if w != ref.Half(x[i]) {
				t.Errorf("the reference makes %v of %v, expected %v", w, x[i], ref.Half(x[i]))
			}
			if got.Data[i] != w {
				t.Errorf("%v becomes %v, expected %v", x[i], got.Data[i], w)
			}
		}
	})
}

// stored is an attention over stored qkv.
func (c attentionSize) stored(g *graph, batch int, half bool) {
	n, h := 3*c.heads*c.dim, c.layout(batch)
	qkv := g.stored(g.items("qkv", batch, batch*c.tokens, n), n, half)
	o, lse := g.Attention(qkv, h)
	g.read("o", o)
	g.read("lse", lse)
	g.read("probs", g.AttentionProbs(qkv, lse, h))
}

// stored is a window attention over stored qkv.
func (c windowCase) stored(g *graph, half bool) {
	w, n := backend.Windows{Batch: c.batch, Count: c.heads, Layout: c.layout()}, 3*c.heads*c.dim
	qkv := g.stored(g.items("qkv", c.batch, c.batch*w.Tokens(), n), n, half)
	pad, table := g.param("pad", n), g.param("table", w.Entries(), c.heads)
	o, lse := g.WindowAttention(qkv, pad, table, w)
	g.read("o", o)
	g.read("lse", lse)
	g.read("probs", g.WindowProbs(qkv, pad, table, w))
}

// testAttentionHalf covers attentions of float16.
func testAttentionHalf(t *testing.T, s suite) {
	if !s.be.Info().Half {
		return // testLinearHalf shows that nothing makes them there
	}
	for _, c := range []attentionSize{{1, 1, 4, 5}, {2, 2, 4, 5}, {2, 7, 4, 5}, {1, 37, 2, 80}, {2, 197, 2, 32}, {1, 257, 1, 64}} {
		s.halfAttention(t, fmt.Sprintf("%d images %d tokens %d heads of %d", c.batch, c.tokens, c.heads, c.dim),
			func(g *graph, half bool) { c.stored(g, c.batch, half) })
	}
	c := attentionSize{1, 37, 2, 32}
	s.independent(t, "attention", 3, func(g *graph, n int) { c.stored(g, n, true) })
	for _, c := range []windowCase{
		{name: "windows", batch: 2, heads: 2, dim: 32, rows: 14, columns: 14, window: 7, table: 7},
		{name: "shifted and padded windows", batch: 2, heads: 2, dim: 16, rows: 9, columns: 10, window: 4, table: 4, shifted: true, padFirst: true},
		{name: "windows of heads of odd width", batch: 1, heads: 4, dim: 7, rows: 5, columns: 7, window: 3, table: 3, shifted: true},
		{name: "windows of wide heads", batch: 1, heads: 1, dim: 40, rows: 5, columns: 7, window: 4, table: 4},
	} {
		s.halfAttention(t, c.name, c.stored)
	}
}

// storedTolerance bounds what rounding qkv to 11 bits does to an attention of normal numbers: values move by 2^-12 of their size, and
// weights by the error of their scores, which is that of a sum of products that each move so.
const storedTolerance = 2e-3

// halfAttention holds an attention of float16 to the reference's, within the tolerance of all operators, and to that of the numbers
// that were rounded. The latter is no equal: as the negative control it must be told apart.
func (s suite) halfAttention(t *testing.T, name string, build func(g *graph, half bool)) {
	t.Run(name, func(t *testing.T) {
		rounded, plain := func(g *graph) { build(g, true) }, func(g *graph) { build(g, false) }
		got, want, other := run(t, s.be, 0, rounded), s.expected(t, rounded), s.expected(t, plain)
		for _, name := range want.names {
			golden.RelMax(got.tensors[name].Data, want.tensors[name]).Check(t, name, float64(s.tol))
		}
		o := golden.Abs(got.tensors["o"].Data, other.tensors["o"])
		o.Check(t, "o beside float32's", storedTolerance)
		if o.Error < 5*float64(s.tol) {
			t.Errorf("o differs from float32's by %.3g only, the tolerance is %.3g", o.Error, s.tol)
		}
	})
}
