package cpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// swiGLU is y = silu(a) b, by the reference's definition on rows in parallel: the layers around it cost a hundred times
// as much.
func (d *device) swiGLU(e *executable, o *backend.SwiGLU) func() {
	m, h := matrix(e, o.Y)
	x, y := e.Floats(o.X), e.Floats(o.Y)
	task := func(_ *worker, i int) {
		from, to := bounds(i, rowsPerTask, m)
		ref.SwiGLU(y[from*h:to*h], x[2*from*h:2*to*h], to-from, h)
	}
	return func() { d.pool.run(pieces(m, rowsPerTask), task) }
}

func (d *device) swiGLUBackward(e *executable, o *backend.SwiGLUBackward) func() {
	m, h := matrix(e, o.DY)
	x, dy, dx := e.Floats(o.X), e.Floats(o.DY), e.Floats(o.DX)
	task := func(_ *worker, i int) {
		from, to := bounds(i, rowsPerTask, m)
		ref.SwiGLUBackward(dx[2*from*h:2*to*h], x[2*from*h:2*to*h], dy[from*h:to*h], to-from, h)
	}
	return func() { d.pool.run(pieces(m, rowsPerTask), task) }
}
