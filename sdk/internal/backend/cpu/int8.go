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
	stride      int // k rounded up to whole groups
	blocks      int
	memory      *[]float32 // shared by all operators of the Executable
}

func (d *device) activations(e *executable, m, k, block int) *activations {
	a := &activations{m: m, k: k, block: block, stride: pieces(k, d.set.KGroup) * d.set.KGroup, blocks: quant.ActivationBlocks(k, block)}
	a.memory = e.Shared(m*a.blocks + pieces(m*a.stride, 4))
	return a
}

// parts are the rows and the scales.
func (a *activations) parts() (q []uint8, scale []float32) {
	scale = (*a.memory)[:a.m*a.blocks]
	bytes := (*a.memory)[a.m*a.blocks:]
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(bytes))), a.m*a.stride), scale
}

// round fills rows from to to of a with x's.
func (d *device) round(a *activations, x []float32, from, to int) {
	q, scale := a.parts()
	for r := from; r < to; r++ {
		row, bytes := x[r*a.k:(r+1)*a.k], q[r*a.stride:(r+1)*a.stride]
		for b := range a.blocks {
			lo, hi := b*a.block, min((b+1)*a.block, a.k)
			var factor float32
			scale[r*a.blocks+b], factor = quant.ActivationRange(d.set.AbsMax(row[lo:hi]))
			d.set.Quantize(bytes[lo:hi], row[lo:hi], factor)
		}
		for i := a.k; i < a.stride; i++ {
			bytes[i] = d.set.Zero // meets zero weights
		}
	}
}

// int8Term is the integer product of a frozen layer, with its scales and bias: C = scale (Q W) + bias.
type int8Term struct {
	x     *activations
	w     *weight
	start []int32
	bias  []float32
}

func (d *device) int8Term(e *executable, o *backend.Linear, m, k int) *int8Term {
	w := e.Weight(o.W).(*weight)
	return &int8Term{x: d.activations(e, m, k, o.Block), w: w, start: w.start(d.set.Zero, o.Block), bias: e.Floats(o.Bias)}
}

// sliceInt8 computes the part of C that has rows i0 to i1 and panels p0 to p1.
func (g *gemm) sliceInt8(w *worker, i0, i1, p0, p1 int) {
	t, mr, nr := g.int8, g.set.MR, g.set.NR
	q, scale := t.x.parts()
	blocks, stride := t.x.blocks, t.x.stride
	groups, block := stride/g.set.KGroup, pieces(min(t.x.block, stride), g.set.KGroup)
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
				t.w.int8s[p*nr*stride:], t.start[p*blocks*nr:], t.w.scale[p*nr:], bias, c, ldc)
			for r := 0; n < nr && r < m; r++ {
				copy(g.c[(i+r)*g.ldc+p*nr:][:n], w.tile[r*nr:])
			}
		}
		if len(g.terms) == 0 && g.finish != nil {
			g.finish(i, m, p0*nr, min(p1*nr, g.n)-p0*nr)
		}
	}
}
