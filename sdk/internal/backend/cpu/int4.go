package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// format is how a linear wants its activations rounded: the columns that share a scale and, for int4 weights, those of a
// run, which share a scale of the weights as well; 0 for int8 weights. The zero format is float32.
type format struct {
	block, run int
	pairs      bool // for the set's product of pairs
}

// format returns the zero format where the set has no product for the layer's integers.
func (d *device) format(e *executable, o *backend.Linear) format {
	w := e.Weight(o.W).(*weight)
	switch {
	case o.Block == 0:
	case w.int8s != nil && d.set.GemmInt8 != nil:
		return format{block: o.Block, pairs: w.pairs}
	case w.nibbles != nil && d.set.GemmInt4 != nil:
		block, group := min(o.Block, w.cols), w.nibbles.group
		run := min(o.Block, group)
		// Runs are all alike, but for the last.
		if run%simd.Octet == 0 && (group%run == 0 && block%run == 0 || block == w.cols) {
			return format{block: o.Block, run: run}
		}
	}
	return format{}
}

// int4Term is integerTerm for int4 weights.
type int4Term struct {
	x       *activations
	w       *weight
	scale   []uint16 // of runs
	columns []float32
	bias    []float32
}

func (t *int4Term) activations() *activations { return t.x }

// slice computes the part of C that has rows i0 to i1 and panels p0 to p1 of the set's width: panels of int4 have one of
// their own, and those that stick out are computed beside C.
func (t *int4Term) slice(g *gemm, w *worker, i0, i1, p0, p1 int) {
	const mr, columns = simd.Int4Rows, simd.Int4Columns
	q, scale := t.x.parts()
	j0, j1 := p0*g.set.NR, min(p1*g.set.NR, g.n)
	octets, run := t.w.nibbles.octets, t.x.format.run
	runs := pieces(min(t.x.format.block, t.x.k), run)
	for i := i0; i < i1; i += mr {
		m := min(mr, i1-i)
		for p := j0 / columns; p*columns < j1; p++ {
			from, to := max(p*columns, j0), min((p+1)*columns, j1)
			c, ldc, bias := g.c[i*g.ldc+from:], g.ldc, t.bias[p*columns:]
			if to-from < columns {
				c, ldc, bias = w.tile, columns, w.block[:columns]
				copy(bias, t.bias[p*columns:])
			}
			g.set.GemmInt4(m, octets, run/simd.Octet, runs, q[i*t.x.stride:], t.x.stride, scale[i*t.x.blocks:], t.x.blocks,
				t.w.nibbles.q[p*octets*columns*4:], t.scale[p*pieces(t.x.k, run)*columns:], t.columns[p*columns:], bias, c, ldc)
			for r := 0; to-from < columns && r < m; r++ {
				copy(g.c[(i+r)*g.ldc+from:][:to-from], w.tile[r*columns+from-p*columns:])
			}
		}
		g.finished(i, m, j0, j1)
	}
}

// emulate makes x, rounded to int8 and back, the operand of a product in float32: for sets without one of int4. It returns
// what rounds.
func (d *device) emulate(e *executable, g *gemm, x []float32, w *weight, block int) func() {
	m, k := g.m, w.cols
	memory := e.Shared(regionRound, m*k)
	g.terms = []term{{rs: k, cs: 1, k: k, b: forward{d.set, w}}}
	task := func(_ *worker, i int) {
		for r, to := bounds(i, rowsPerTask, m); r < to; r++ {
			roundBack(g.terms[0].a[r*k:(r+1)*k], x[r*k:(r+1)*k], block)
		}
	}
	return func() {
		g.terms[0].a = (*memory)[:m*k]
		d.pool.run(pieces(m, rowsPerTask), task)
	}
}

// roundBack is x as int8 with a scale for each block, in float32 again.
func roundBack(y, x []float32, block int) {
	for len(x) > 0 {
		n, top := min(block, len(x)), float32(0)
		for _, v := range x[:n] {
			top = max(top, v, -v)
		}
		scale, factor := quant.ActivationRange(top)
		for i, v := range x[:n] {
			y[i] = scale * float32(math.RoundToEven(float64(v*factor)))
		}
		x, y = x[n:], y[n:]
	}
}
