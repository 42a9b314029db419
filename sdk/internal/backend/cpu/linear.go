package cpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// matrix is the extents of a rank-2 value.
func matrix(e *executable, v backend.Value) (rows, cols int) {
	s := e.Shape(v)
	return s[0], s[1]
}

// linear is y = x Wᵀ + bias with its epilogue.
func (d *device) linear(e *executable, o *backend.Linear) func() {
	m, k := matrix(e, o.X)
	w, bias := e.Weight(o.W).(*weight), e.Floats(o.Bias)
	g := &gemm{set: d.set, m: m, n: w.rows, c: e.Floats(o.Y), ldc: w.rows}
	prepare, ok := d.operand(e, o, g, m, k)
	if !ok {
		return nil
	}
	if g.integers != nil {
		bias = nil // the integer term adds it
	}
	switch o.Epilogue {
	case backend.EpiNone:
		g.finish = d.addBias(g, bias)
	case backend.EpiResidual:
		g.finish = d.addResidual(g, bias, e.Floats(o.Residual))
	case backend.EpiGELU:
		out := d.rounded(e)[o.Y]
		g.finish = d.gelu(g, bias, e.Floats(o.DGELU), out)
		if out != nil {
			g.whole = out.block
		}
	case backend.EpiResidualAdapter:
		// The up-projection continues the same sums.
		_, r := matrix(e, o.Hidden)
		up := transposed{d.set, e.Floats(o.Up), w.rows, r, o.AdapterScale}
		g.terms = append(g.terms, term{a: e.Floats(o.Hidden), rs: r, cs: 1, k: r, b: up})
		g.finish = d.addBranch(g, bias, e.Floats(o.Residual), e.Floats(o.UpBias), o.AdapterScale)
	default:
		return nil
	}
	multiply := g.compile(d.pool)
	if prepare == nil {
		return multiply
	}
	return func() {
		prepare()
		multiply()
	}
}

// operand gives g its product with x. What has to run before is returned, nil for nothing; false leaves the layer to ref.
func (d *device) operand(e *executable, o *backend.Linear, g *gemm, m, k int) (prepare func(), ok bool) {
	x, w := e.Floats(o.X), e.Weight(o.W).(*weight)
	if o.Block == 0 {
		g.terms = []term{{a: x, rs: k, cs: 1, k: k, b: forward{d.set, w}}}
		return nil, true
	}
	if ready := d.rounded(e)[o.X]; ready != nil {
		g.integers = d.integers(e, o, ready)
		return nil, true
	}
	if f := d.format(e, o); f.block > 0 {
		a := d.activations(e, regionRound, m, k, f)
		g.integers = d.integers(e, o, a)
		return d.rounding(a, x, nil), true
	}
	if w.nibbles != nil {
		return d.emulate(e, g, x, w, o.Block), true
	}
	return nil, false
}

// The epilogues; a nil bias is none.

// addBias is the epilogue c += bias.
func (d *device) addBias(g *gemm, bias []float32) func(i, m, j, n int) {
	if bias == nil {
		return nil
	}
	return func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			d.set.Add(g.c[r*g.ldc+j:r*g.ldc+j+n], bias[j:j+n])
		}
	}
}

func (d *device) addResidual(g *gemm, bias, residual []float32) func(i, m, j, n int) {
	return func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			at := r*g.ldc + j
			d.addIf(g.c[at:at+n], bias, j)
			d.set.Add(g.c[at:at+n], residual[at:at+n])
		}
	}
}

func (d *device) addBranch(g *gemm, bias, residual, upBias []float32, scale float32) func(i, m, j, n int) {
	return func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			at := r*g.ldc + j
			d.addIf(g.c[at:at+n], bias, j)
			d.set.Axpy(g.c[at:at+n], upBias[j:j+n], scale)
			d.set.Add(g.c[at:at+n], residual[at:at+n])
		}
	}
}

// gelu also stores the derivative where dgelu is not nil, and rounds the result where out is not nil.
func (d *device) gelu(g *gemm, bias, dgelu []float32, out *activations) func(i, m, j, n int) {
	return func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			at := r*g.ldc + j
			y := g.c[at : at+n]
			d.addIf(y, bias, j)
			if dgelu == nil {
				d.set.GELU(y)
			} else {
				d.set.GELUGrad(y, dgelu[at:at+n])
			}
			if out != nil {
				d.roundPart(out, r, j, y)
			}
		}
	}
}

// addIf is c += bias from column j on, unless bias is nil.
func (d *device) addIf(c, bias []float32, j int) {
	if bias != nil {
		d.set.Add(c, bias[j:j+len(c)])
	}
}

// linearBackward is dx = (dy W) ⊙ dgelu.
func (d *device) linearBackward(e *executable, o *backend.LinearBackward) func() {
	m, n := matrix(e, o.DY)
	w := e.Weight(o.W).(*weight)
	g := &gemm{set: d.set, m: m, n: w.cols, c: e.Floats(o.DX), ldc: w.cols}
	if dgelu := e.Floats(o.DGELU); dgelu != nil {
		g.finish = func(i, m, j, n int) {
			for r := i; r < i+m; r++ {
				at := r*g.ldc + j
				d.set.Mul(g.c[at:at+n], dgelu[at:at+n])
			}
		}
	}
	if o.Block > 0 {
		return d.linearBackwardInt8(e, o, g, w)
	}
	g.terms = []term{{a: e.Floats(o.DY), rs: n, cs: 1, k: n, b: backward{d.set, w}}}
	return g.compile(d.pool)
}
