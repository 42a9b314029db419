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
	w := e.Weight(o.W).(*weight)
	g := &gemm{set: d.set, m: m, n: w.rows, c: e.Floats(o.Y), ldc: w.rows,
		terms: []term{{a: e.Floats(o.X), rs: k, cs: 1, k: k, b: forward{d.set, w}}}}
	switch o.Epilogue {
	case backend.EpiNone:
		g.finish = d.addBias(g, e.Floats(o.Bias))
	case backend.EpiResidual:
		g.finish = d.addResidual(g, e.Floats(o.Bias), e.Floats(o.Residual))
	case backend.EpiGELU:
		g.finish = d.gelu(g, e.Floats(o.Bias), e.Floats(o.DGELU))
	case backend.EpiResidualAdapter:
		// The up-projection continues the same sums.
		_, r := matrix(e, o.Hidden)
		up := transposed{d.set, e.Floats(o.Up), w.rows, r, o.AdapterScale}
		g.terms = append(g.terms, term{a: e.Floats(o.Hidden), rs: r, cs: 1, k: r, b: up})
		g.finish = d.addBranch(g, e.Floats(o.Bias), e.Floats(o.Residual), e.Floats(o.UpBias), o.AdapterScale)
	default:
		return nil
	}
	return g.compile(d.pool)
}

// addBias is the epilogue c += bias.
func (d *device) addBias(g *gemm, bias []float32) func(i, m, j, n int) {
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
			d.set.Add(g.c[at:at+n], bias[j:j+n])
			d.set.Add(g.c[at:at+n], residual[at:at+n])
		}
	}
}

func (d *device) addBranch(g *gemm, bias, residual, upBias []float32, scale float32) func(i, m, j, n int) {
	return func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			at := r*g.ldc + j
			d.set.Add(g.c[at:at+n], bias[j:j+n])
			d.set.Axpy(g.c[at:at+n], upBias[j:j+n], scale)
			d.set.Add(g.c[at:at+n], residual[at:at+n])
		}
	}
}

// gelu also stores the derivative where dgelu is not nil.
func (d *device) gelu(g *gemm, bias, dgelu []float32) func(i, m, j, n int) {
	return func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			at := r*g.ldc + j
			y := g.c[at : at+n]
			d.set.Add(y, bias[j:j+n])
			if dgelu == nil {
				d.set.GELU(y)
			} else {
				d.set.GELUGrad(y, dgelu[at:at+n])
			}
		}
	}
}

// linearBackward is dx = (dy W) ⊙ dgelu.
func (d *device) linearBackward(e *executable, o *backend.LinearBackward) func() {
	m, n := matrix(e, o.DY)
	w := e.Weight(o.W).(*weight)
	g := &gemm{set: d.set, m: m, n: w.cols, c: e.Floats(o.DX), ldc: w.cols,
		terms: []term{{a: e.Floats(o.DY), rs: n, cs: 1, k: n, b: backward{d.set, w}}}}
	if dgelu := e.Floats(o.DGELU); dgelu != nil {
		g.finish = func(i, m, j, n int) {
			for r := i; r < i+m; r++ {
				at := r*g.ldc + j
				d.set.Mul(g.c[at:at+n], dgelu[at:at+n])
			}
		}
	}
	return g.compile(d.pool)
}
