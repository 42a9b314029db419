package cpu

import (
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// activations is a float32 matrix [m, k] rounded to int8, as simd.Set.Quantize writes it: rows of stride bytes, and for
// each row its blocks' scales.
type activations struct {
	m, k, block int
	groups      int // of k
	stride      int
	blocks      int
	memory      *[]float32 // one of the Executable's regions
}

func (d *device) activations(e *executable, region, m, k, block int) *activations {
	a := &activations{m: m, k: k, block: block, groups: pieces(k, d.set.KGroup), stride: d.set.RoundedBytes(k, block),
		blocks: quant.ActivationBlocks(k, block)}
	a.memory = e.Shared(region, m*a.blocks+pieces(m*a.stride, 4))
	return a
}

// parts are the rows and the scales.
func (a *activations) parts() (q []uint8, scale []float32) {
	scale = (*a.memory)[:a.m*a.blocks]
	bytes := (*a.memory)[a.m*a.blocks:]
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(bytes))), a.m*a.stride), scale
}

// round fills a with x, or with x ⊙ scales where there are scales [k].
func (d *device) round(a *activations, x, scales []float32) {
	d.pool.run(pieces(a.m, rowsPerTask), func(w *worker, i int) {
		for r, to := bounds(i, rowsPerTask, a.m); r < to; r++ {
			row := x[r*a.k : (r+1)*a.k]
			if scales != nil {
				w.row = append(w.row[:0], row...)
				row = w.row
				d.set.Mul(row, scales)
			}
			d.roundPart(a, r, 0, row)
		}
	})
}

// int8Term is an integer product with scales and a bias for its columns: C = columns (Q B) + bias.
type int8Term struct {
	x             *activations
	panels        []int8 // of B, as simd.Set.GemmInt8 takes them
	start         []int32
	columns, bias []float32 // whole panels of columns; n of the bias
}

func (d *device) int8Term(e *executable, o *backend.Linear, x *activations) *int8Term {
	w := e.Weight(o.W).(*weight)
	return &int8Term{x: x, panels: w.int8s, start: w.start(d.set.Zero, o.Block),
		columns: w.scale, bias: e.Floats(o.Bias)}
}

// linearBackwardInt8 is g = dy W: the scales of W's rows go into dy, and W's bytes into panels of its columns, which
// all linears of the Executable share: 590 kB for the largest of a ViT-S, next to the 22 MB that a second copy would
// take.
func (d *device) linearBackwardInt8(e *executable, o *backend.LinearBackward, g *gemm, w *weight) func() {
	if d.set.GemmInt8 == nil || w.int8s == nil {
		return nil
	}
	m, n := matrix(e, o.DY)
	dy, nr := e.Floats(o.DY), d.set.NR
	x := d.activations(e, regionRound, m, n, o.Block)
	count := pieces(w.cols, nr)
	columns := make([]float32, count*nr)
	for i := range columns {
		columns[i] = 1
	}
	g.int8 = &int8Term{x: x, start: w.startBackward(d.set.Zero, o.Block), columns: columns, bias: make([]float32, count*nr)}
	panels := d.columnPanels(e, x, count)
	multiply := g.compile(d.pool)
	return func() {
		d.round(x, dy, w.scale[:n])
		g.int8.panels = panels()
		size := nr * x.groups * d.set.KGroup
		d.pool.run(count, func(_ *worker, p int) { w.packColumns(g.int8.panels[p*size:(p+1)*size], p) })
		multiply()
	}
}

// columnPanels is the memory for panels of columns, behind that of x.
func (d *device) columnPanels(e *executable, x *activations, count int) func() []int8 {
	used := x.m*x.blocks + pieces(x.m*x.stride, 4)
	n := count * d.set.NR * x.groups * d.set.KGroup
	memory := e.Shared(regionRound, used+pieces(n, 4))
	return func() []int8 {
		return unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData((*memory)[used:]))), n)
	}
}

// sliceInt8 computes the part of C that has rows i0 to i1 and panels p0 to p1.
func (g *gemm) sliceInt8(w *worker, i0, i1, p0, p1 int) {
	t, mr, nr := g.int8, g.set.MR, g.set.NR
	q, scale := t.x.parts()
	blocks, stride, groups := t.x.blocks, t.x.stride, t.x.groups
	block, panel := pieces(min(t.x.block, t.x.k), g.set.KGroup), nr*groups*g.set.KGroup
	for i := i0; i < i1; i += mr {
		m := min(mr, i1-i)
		for p := p0; p < p1; p++ {
			n := min(nr, g.n-p*nr)
			c, ldc, bias := g.c[i*g.ldc+p*nr:], g.ldc, t.bias[p*nr:]
			if n < nr { // the tile sticks out
				c, ldc, bias = w.tile, nr, w.block[:nr]
				copy(bias, t.bias[p*nr:])
			}
			g.set.GemmInt8(m, groups, block, q[i*stride:], stride, scale[i*blocks:], blocks,
				t.panels[p*panel:], t.start[p*blocks*nr:], t.columns[p*nr:], bias, c, ldc)
			for r := 0; n < nr && r < m; r++ {
				copy(g.c[(i+r)*g.ldc+p*nr:][:n], w.tile[r*nr:])
			}
		}
		if len(g.terms) == 0 && g.finish != nil {
			g.finish(i, m, p0*nr, min(p1*nr, g.n)-p0*nr)
		}
	}
}
