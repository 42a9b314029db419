package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// rowsPerTask is how many rows a task of a row-wise operator takes: some 10 µs of work.
const rowsPerTask = 32

// layerNorm is y = (x - mean) rstd ⊙ gamma + beta.
func (d *device) layerNorm(e *executable, o *backend.LayerNorm) func() {
	m, n := matrix(e, o.X)
	x, gamma, beta := e.Floats(o.X), e.Floats(o.Gamma), e.Floats(o.Beta)
	y, mean, rstd := e.Floats(o.Y), e.Floats(o.Mean), e.Floats(o.Rstd)
	out := d.rounded(e)[o.Y]
	task := func(_ *worker, i int) {
		for r, to := bounds(i, rowsPerTask, m); r < to; r++ {
			row := x[r*n : (r+1)*n]
			mu := d.set.Sum(row) / float32(n)
			variance := float64(d.set.Squares(row, mu)) / float64(n)
			mean[r], rstd[r] = mu, float32(1/math.Sqrt(variance+float64(o.Eps)))
			d.set.Normalize(y[r*n:(r+1)*n], row, gamma, beta, mu, rstd[r])
			if out != nil {
				d.roundPart(out, r, 0, y[r*n:(r+1)*n])
			}
		}
	}
	return func() { d.pool.run(pieces(m, rowsPerTask), task) }
}

// layerNormBackward is dx = base + rstd (u - mean(u) - xh mean(u xh)), u = gamma ⊙ dy, xh = (x - mean) rstd.
func (d *device) layerNormBackward(e *executable, o *backend.LayerNormBackward) func() {
	m, n := matrix(e, o.X)
	x, gamma, mean, rstd := e.Floats(o.X), e.Floats(o.Gamma), e.Floats(o.Mean), e.Floats(o.Rstd)
	dy, base, dx := e.Floats(o.DY), e.Floats(o.Base), e.Floats(o.DX)
	task := func(_ *worker, i int) {
		for r, to := bounds(i, rowsPerTask, m); r < to; r++ {
			from, to := r*n, (r+1)*n
			switch {
			case base == nil:
				clear(dx[from:to])
			case o.Base != o.DX:
				copy(dx[from:to], base[from:to])
			}
			u, ux := d.set.NormSums(x[from:to], gamma, dy[from:to], mean[r], rstd[r])
			d.set.NormGrad(dx[from:to], x[from:to], gamma, dy[from:to], mean[r], rstd[r], u/float32(n), ux/float32(n))
		}
	}
	return func() { d.pool.run(pieces(m, rowsPerTask), task) }
}

// gainGrad is dgamma = column sums of dy ⊙ (x - mean) rstd; a task sums some columns over all rows.
func (d *device) gainGrad(e *executable, o *backend.GainGrad) func() {
	const columns = 64
	m, n := matrix(e, o.X)
	x, mean, rstd, dy, dgamma := e.Floats(o.X), e.Floats(o.Mean), e.Floats(o.Rstd), e.Floats(o.DY), e.Floats(o.DGamma)
	task := func(_ *worker, i int) {
		from, to := bounds(i, columns, n)
		sum := dgamma[from:to]
		clear(sum)
		for r := range m {
			in, g, mu, s := x[r*n+from:r*n+to], dy[r*n+from:r*n+to], mean[r], rstd[r]
			for j := range sum {
				sum[j] += g[j] * ((in[j] - mu) * s)
			}
		}
	}
	return func() { d.pool.run(pieces(n, columns), task) }
}
