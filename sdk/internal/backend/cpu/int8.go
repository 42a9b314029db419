package cpu

import (
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// activations is a float32 matrix [m, k] rounded to int8, as simd.Int8.Quantize writes it: rows of stride bytes, and for
// each row its blocks' scales.
type activations struct {
	m, k int
	format
	groups int // of k
	stride int // of a row, in bytes
	part   int // of a block but the last, in bytes
	blocks int
	memory *[]float32 // one of the Executable's regions
}

func (d *device) activations(e *executable, region, m, k int, f format) *activations {
	a := &activations{m: m, k: k, format: f, groups: pieces(k, d.set.KGroup), blocks: quant.ActivationBlocks(k, f.block)}
	a.stride, a.part = d.bytes(f, k), d.bytes(f, min(f.block, k))
	a.memory = e.Shared(region, m*a.blocks+pieces(m*a.stride, 4))
	return a
}

// bytes is how many bytes n columns take.
func (d *device) bytes(f format, n int) int {
	if f.run > 0 {
		return simd.TermsBytes(n, f.run)
	}
	return f.product(d.set).RoundedBytes(n, f.block)
}

// product is what takes activations of the format, which has no runs.
func (f format) product(set *simd.Set) *simd.Int8 {
	if f.pairs {
		return set.Pairs
	}
	return &set.Int8
}

// parts are the rows and the scales.
func (a *activations) parts() (q []uint8, scale []float32) {
	scale = (*a.memory)[:a.m*a.blocks]
	bytes := (*a.memory)[a.m*a.blocks:]
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(bytes))), a.m*a.stride), scale
}

// rounding fills a with x, or with x ⊙ scales where there are scales [k].
func (d *device) rounding(a *activations, x, scales []float32) func() {
	task := func(w *worker, i int) {
		for r, to := bounds(i, rowsPerTask, a.m); r < to; r++ {
			row := x[r*a.k : (r+1)*a.k]
			if scales != nil {
				w.row = append(w.row[:0], row...)
				row = w.row
				d.set.Mul(row, scales)
			}
			d.roundPart(a, r, 0, row)
		}
	}
	return func() { d.pool.run(pieces(a.m, rowsPerTask), task) }
}

// integerTerm is a product of int8 activations with integers of a weight.
type integerTerm interface {
	activations() *activations
	// slice computes the part of g's C that has rows i0 to i1 and panels p0 to p1.
	slice(g *gemm, w *worker, i0, i1, p0, p1 int)
}

// int8Term is an integer product with scales and a bias for its columns: C = columns (Q B) + bias.
type int8Term struct {
	x             *activations
	panels        []int8 // of B, as simd.Int8.GemmInt8 takes them
	start         []int32
	columns, bias []float32 // whole panels of columns; n of the bias
}

// integers is the product of a forward layer, whose format is not zero.
func (d *device) integers(e *executable, o *backend.Linear, x *activations) integerTerm {
	w, bias := e.Weight(o.W).(*weight), e.Floats(o.Bias)
	if w.nibbles != nil {
		return &int4Term{x: x, w: w, scale: w.nibbles.runScales(x.run, w.cols), columns: w.scale, bias: bias}
	}
	return &int8Term{x: x, panels: w.int8s, start: w.start(x.product(d.set), o.Block), columns: w.scale, bias: bias}
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
	x := d.activations(e, regionRound, m, n, format{block: o.Block})
	count := pieces(w.cols, nr)
	columns := make([]float32, count*nr)
	for i := range columns {
		columns[i] = 1
	}
	product := &int8Term{x: x, start: w.startBackward(d.set.Zero, o.Block), columns: columns, bias: make([]float32, count*nr)}
	g.integers = product
	panels := d.columnPanels(e, x, count)
	multiply, round, size := g.compile(d.pool), d.rounding(x, dy, w.scale[:n]), nr*x.groups*d.set.KGroup
	pack := func(_ *worker, p int) { w.packColumns(product.panels[p*size:(p+1)*size], p) }
	return func() {
		round()
		product.panels = panels()
		d.pool.run(count, pack)
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

func (t *int8Term) activations() *activations { return t.x }

// slice implements integerTerm.
func (t *int8Term) slice(g *gemm, w *worker, i0, i1, p0, p1 int) {
	for i, rows := i0, rowsAtATime(g.set); i < i1; i += rows {
		m := min(rows, i1-i)
		for p := p0; p < p1; p++ {
			t.panel(g, w, i, m, p)
		}
		g.finished(i, m, p0*g.set.NR, min(p1*g.set.NR, g.n))
	}
}

// panel computes the part of C that has rows i to i+m and panel p.
func (t *int8Term) panel(g *gemm, w *worker, i, m, p int) {
	nr, n := g.set.NR, min(g.set.NR, g.n-p*g.set.NR)
	if n == nr {
		t.product(g.set, i, m, p, t.bias[p*nr:], g.c[i*g.ldc+p*nr:], g.ldc)
		return
	}
	// The panel sticks out.
	bias := w.block[:nr]
	copy(bias, t.bias[p*nr:])
	for end := i + m; i < end; i += g.set.MR {
		m := min(g.set.MR, end-i)
		t.product(g.set, i, m, p, bias, w.tile, nr)
		for r := range m {
			copy(g.c[(i+r)*g.ldc+p*nr:][:n], w.tile[r*nr:])
		}
	}
}

// product computes rows i to i+m of panel p.
func (t *int8Term) product(set *simd.Set, i, m, p int, bias, c []float32, ldc int) {
	q, scale := t.x.parts()
	blocks, stride, groups := t.x.blocks, t.x.stride, t.x.groups
	block, panel := pieces(min(t.x.block, t.x.k), set.KGroup), set.NR*groups*set.KGroup
	t.x.format.product(set).GemmInt8(m, groups, block, q[i*stride:], stride, scale[i*blocks:], blocks,
		t.panels[p*panel:], t.start[p*blocks*set.NR:], t.columns[p*set.NR:], bias, c, ldc)
}
