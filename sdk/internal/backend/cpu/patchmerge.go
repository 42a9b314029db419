package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// squares is a grid of tokens [B T, dim], merged by squares of 2 x 2.
type squares struct {
	backend.Grid
	dim int
}

// parts are the rows of the four tokens of square i, in the order of patch merging: by column, then by row; -1 where an
// odd side ends.
func (s squares) parts(i int) (tokens [4]int) {
	m := s.Merged()
	image, y, x := i/(m.Rows*m.Columns), i/m.Columns%m.Rows*2, i%m.Columns*2
	for part := range tokens {
		r, c := y+part%2, x+part/2
		if tokens[part] = -1; r < s.Rows && c < s.Columns {
			tokens[part] = (image*s.Rows+r)*s.Columns + c
		}
	}
	return tokens
}

func (s squares) gather(dst, x []float32, i int) {
	for part, t := range s.parts(i) {
		to := dst[part*s.dim : (part+1)*s.dim]
		if t < 0 {
			clear(to)
		} else {
			copy(to, x[t*s.dim:])
		}
	}
}

// patchMerge is the LayerNorm of the squares.
func (d *device) patchMerge(e *executable, o *backend.PatchMerge) func() {
	m, n := matrix(e, o.Y)
	s := squares{o.Grid, n / 4}
	x, gamma, beta := e.Floats(o.X), e.Floats(o.Gamma), e.Floats(o.Beta)
	y, mean, rstd := e.Floats(o.Y), e.Floats(o.Mean), e.Floats(o.Rstd)
	task := func(_ *worker, i int) {
		for r, to := bounds(i, rowsPerTask, m); r < to; r++ {
			row := y[r*n : (r+1)*n] // the square, until it is normalised in place
			s.gather(row, x, r)
			mean[r] = d.set.Sum(row) / float32(n)
			variance := float64(d.set.Squares(row, mean[r])) / float64(n)
			rstd[r] = float32(1 / math.Sqrt(variance+float64(o.Eps)))
			d.set.Normalize(row, row, gamma, beta, mean[r], rstd[r])
		}
	}
	return func() { d.pool.run(pieces(m, rowsPerTask), task) }
}

// patchMergeBackward is the gradient of that LayerNorm, each part of a square to its token.
func (d *device) patchMergeBackward(e *executable, o *backend.PatchMergeBackward) func() {
	m, n := matrix(e, o.DY)
	s := squares{o.Grid, n / 4}
	x, gamma, mean, rstd := e.Floats(o.X), e.Floats(o.Gamma), e.Floats(o.Mean), e.Floats(o.Rstd)
	dy, dx := e.Floats(o.DY), e.Floats(o.DX)
	scratch := e.Scratch(2 * n * d.pool.size())
	task := func(w *worker, i int) {
		row, g := scratch[2*w.id*n:(2*w.id+1)*n], scratch[(2*w.id+1)*n:(2*w.id+2)*n]
		for r, to := bounds(i, rowsPerTask, m); r < to; r++ {
			s.gather(row, x, r)
			clear(g)
			u, ux := d.set.NormSums(row, gamma, dy[r*n:(r+1)*n], mean[r], rstd[r])
			d.set.NormGrad(g, row, gamma, dy[r*n:(r+1)*n], mean[r], rstd[r], u/float32(n), ux/float32(n))
			for part, t := range s.parts(r) {
				if t >= 0 {
					copy(dx[t*s.dim:(t+1)*s.dim], g[part*s.dim:])
				}
			}
		}
	}
	return func() { d.pool.run(pieces(m, rowsPerTask), task) }
}
