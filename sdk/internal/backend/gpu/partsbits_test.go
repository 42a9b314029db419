//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// partsCase is one frozen layer [n, k] under every epilogue, and its gradient, for m rows.
type partsCase struct {
	scheme         quant.Scheme
	block, m, n, k int
	exact          bool // data are integers, so that sums have no order
}

func (c partsCase) String() string {
	return fmt.Sprintf("%s %dx%dx%d block %d exact %v", c.scheme, c.m, c.n, c.k, c.block, c.exact)
}

// numbers makes n of them.
func (c partsCase) numbers(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if x[i] = float32(r.NormFloat64()); c.exact {
			x[i] = float32(r.IntN(15) - 7)
		}
	}
	return x
}

// matrix is a weight, with scales of 1 where it is exact.
func (c partsCase) matrix(r *rand.Rand, rows, cols int) (quant.Matrix, error) {
	w := c.numbers(r, rows*cols)
	for i := range w {
		if group := c.scheme.Group(); c.exact && group > 0 && i%cols%group == 0 {
			w[i] = quant.MaxInt4
		} else if c.exact && c.scheme == quant.Q8C && i%cols == 0 {
			w[i] = quant.MaxInt8
		}
	}
	return quant.Quantize(c.scheme, w, rows, cols)
}

// forward is how many results are not gradients.
const forward = 8

// partsGraph is a Program of the case on a device.
type partsGraph struct {
	*backend.Recorder
	c      partsCase
	d      *device
	r      *rand.Rand
	inputs map[backend.Value][]float32
	open   []interface{ Close() error }
	err    error
}

func (g *partsGraph) buffer(n int) backend.Buffer {
	b, err := g.d.NewBuffer("b", n)
	if err == nil {
		g.open = append(g.open, b)
		err = b.Write(0, g.c.numbers(g.r, n))
	}
	g.err = errors.Join(g.err, err)
	return b
}

// input is of blocks that reach 127 where it is exact, so that rounding to int8 changes nothing.
func (g *partsGraph) input(rows, cols int) backend.Value {
	v, x := g.Input("in", rows, cols), g.c.numbers(g.r, rows*cols)
	for i := 0; g.c.exact && i < len(x); i += min(cols-i%cols, quant.ActivationBlock) {
		x[i] = quant.MaxInt8
	}
	g.inputs[v] = x
	return v
}

func (g *partsGraph) layer(rows, cols int) backend.Frozen {
	m, err := g.c.matrix(g.r, rows, cols)
	if err == nil {
		var w backend.Weight
		if w, err = g.d.NewWeight("w", m); err == nil {
			g.open = append(g.open, w)
			f := backend.Frozen{W: w, Bias: g.buffer(rows), Block: g.c.block}
			if g.c.scheme == quant.Q8C {
				f.GradBlock = g.c.block
			}
			return f
		}
	}
	g.err = errors.Join(g.err, err)
	return backend.Frozen{}
}

// run gives the results: those of the epilogues and of two layers with a GELU between, which may stay int8, then the gradients without
// and with GELU's. edit may change the weight before it is used.
func (c partsCase) run(d *device, edit func(w *weight)) (results [][]float32, err error) {
	const bottleneck = 7
	g := &partsGraph{Recorder: backend.NewRecorder(), c: c, d: d, r: rand.New(rand.NewPCG(3, uint64(c.n*c.k))), inputs: map[backend.Value][]float32{}}
	defer func() {
		for _, o := range slices.Backward(g.open) {
			err = errors.Join(err, o.Close())
		}
	}()
	f, second, up, upBias := g.layer(c.n, c.k), g.layer(68, c.n), g.buffer(c.n*bottleneck), g.buffer(c.n)
	if g.err != nil {
		return nil, g.err
	}
	edit(f.W.(*weight))
	x, residual, hidden := g.input(c.m, c.k), g.input(c.m, c.n), g.input(c.m, bottleneck)
	trained, derivative := g.LinearGELU(x, f, true)
	plain, _ := g.LinearGELU(x, f, false)
	between, _ := g.LinearGELU(x, f, false)
	halved := f
	halved.Half = c.n%4 == 0
	outs := []backend.Value{g.Linear(x, f), g.Linear(x, halved), g.LinearResidual(x, f, residual), trained, derivative, plain,
		g.LinearResidualAdapter(x, f, residual, backend.Branch{Hidden: hidden, Scale: 0.5,
			Up: g.Param("up", up, 0, c.n, bottleneck), UpBias: g.Param("up bias", upBias, 0, c.n)}),
		g.Linear(between, second), g.LinearBackward(residual, f, backend.None), g.LinearBackward(residual, f, x)}
	for _, v := range outs {
		g.Output(v, "out")
	}
	p, err := g.Finish()
	if err != nil {
		return nil, err
	}
	e, err := d.Compile(p)
	if err != nil {
		return nil, err
	}
	g.open = append(g.open, e)
	for v, data := range g.inputs {
		err = errors.Join(err, e.WriteFloats(v, data))
	}
	err = errors.Join(err, e.Run(context.Background()))
	for _, v := range outs {
		y := make([]float32, p.Shape(v).Elems())
		err = errors.Join(err, e.ReadFloats(v, y))
		results = append(results, y)
	}
	return results, err
}

// differs says which result of a device with parts is not as it should be: forward the bits of the whole; gradients are
// other sums, equal where sums are exact.
func (c partsCase) differs(got, want [][]float32) string {
	for i := range want {
		for j, w := range want[i] {
			v, limit := got[i][j], 0.0
			if i >= forward && !c.exact {
				limit = 1e-6 * float64(slices.Max(want[i]))
			}
			if i < forward && math.Float32bits(v) != math.Float32bits(w) || !(math.Abs(float64(v)-float64(w)) <= limit) {
				return fmt.Sprintf("result %d, element %d is %v, of the whole %v", i, j, v, w)
			}
		}
	}
	return ""
}

// TestPartsBits: a layer whose weight is in parts gives the bits of the whole, and its gradient the same sums in another order.
func TestPartsBits(t *testing.T) {
	base := []partsCase{{quant.Q8C, quant.ActivationBlock, 67, 192, 128, true}, {quant.F32, 0, 7, 257, 160, true}}
	others := []partsCase{{quant.Q8C, 0, 37, 197, 67, false}, {quant.Q4G, 0, 7, 257, 160, true}, {quant.Q4G, quant.ActivationBlock, 5, 197, 67, false},
		{quant.F16, 0, 37, 197, 67, false}}
	for _, safe := range []bool{false, true} {
		whole, parts := openHere(t, Options{Untested: true, Safe: safe}), openHere(t, Options{Untested: true, Safe: safe, WeightBytes: 1})
		pairs := openHere(t, Options{Untested: true, Safe: safe, WeightBytes: 6 << 14, SegmentTime: tiny}) // and divided
		cases := base
		if !safe {
			cases = append(cases, others...)
		}
		for _, c := range cases {
			want, err := c.run(whole, func(*weight) {})
			if err != nil {
				t.Fatalf("%s: %v", c, err)
			}
			for d, most := range map[*device]int{parts: panelRows, pairs: 2 * panelRows} {
				if d == pairs && (safe || c.scheme != quant.F32) {
					continue
				}
				n := 0
				got, err := c.run(d, func(w *weight) { n = len(w.parts) })
				if err != nil || n != ceil(c.n, most) {
					t.Fatalf("%s, %d parts: %v", c, n, err)
				}
				if at := c.differs(got, want); at != "" {
					t.Errorf("%s, %d parts: %s", c, n, at)
				}
			}
			got, err := c.run(parts, func(w *weight) { w.parts[0].buf, w.parts[1].buf = w.parts[1].buf, w.parts[0].buf })
			if err != nil || c.differs(got, want) == "" {
				t.Errorf("control: %s, with two parts exchanged: %v, no difference", c, err)
			}
		}
		for _, d := range []*device{whole, parts, pairs} {
			if n := d.MemoryInUse(); n != 0 {
				t.Errorf("%d bytes in use", n)
			}
		}
	}
}
