package cpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// affine is y = x wᵀ + bias.
func (d *device) affine(e *executable, o *backend.Affine) func() {
	m, k := matrix(e, o.X)
	_, n := matrix(e, o.Y)
	g := &gemm{set: d.set, m: m, n: n, c: e.Floats(o.Y), ldc: n,
		terms: []term{{a: e.Floats(o.X), rs: k, cs: 1, k: k, b: transposed{d.set, e.Floats(o.W), n, k, 1}}}}
	g.finish = d.addBias(g, e.Floats(o.Bias))
	return g.compile(d.pool)
}

// matMul is c = base + a b.
func (d *device) matMul(e *executable, o *backend.MatMul) func() {
	m, n := matrix(e, o.A)
	_, k := matrix(e, o.C)
	g := &gemm{set: d.set, m: m, n: k, c: e.Floats(o.C), ldc: k, accumulate: o.Base == o.C,
		terms: []term{{a: e.Floats(o.A), rs: n, cs: 1, k: n, b: rowsOf{d.set, e.Floats(o.B), k}}}}
	if base := e.Floats(o.Base); base != nil && o.Base != o.C {
		g.finish = func(i, m, j, n int) {
			for r := i; r < i+m; r++ {
				at := r*g.ldc + j
				d.set.Add(g.c[at:at+n], base[at:at+n])
			}
		}
	}
	return g.compile(d.pool)
}

// weightGrad is dw = scale dyᵀ x: A is dy read by columns.
func (d *device) weightGrad(e *executable, o *backend.WeightGrad) func() {
	m, n := matrix(e, o.DY)
	_, k := matrix(e, o.X)
	g := &gemm{set: d.set, m: n, n: k, c: e.Floats(o.DW), ldc: k,
		terms: []term{{a: e.Floats(o.DY), rs: 1, cs: n, k: m, b: rowsOf{d.set, e.Floats(o.X), k}}}}
	if o.Scale != 1 {
		g.finish = func(i, m, j, n int) {
			for r := i; r < i+m; r++ {
				d.set.Scale(g.c[r*g.ldc+j:r*g.ldc+j+n], o.Scale)
			}
		}
	}
	return g.compile(d.pool)
}

// biasGrad is db = scale · column sums of dy; a task sums some columns over all rows.
func (d *device) biasGrad(e *executable, o *backend.BiasGrad) func() {
	const columns = 64
	m, n := matrix(e, o.DY)
	dy, db := e.Floats(o.DY), e.Floats(o.DB)
	task := func(_ *worker, i int) {
		from, to := bounds(i, columns, n)
		clear(db[from:to])
		for r := range m {
			d.set.Add(db[from:to], dy[r*n+from:r*n+to])
		}
		d.set.Scale(db[from:to], o.Scale)
	}
	return func() { d.pool.run(pieces(n, columns), task) }
}
