package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// clipNorm scales x down to a norm of o.Max. Each task adds the squares of its piece and the pieces are added in order,
// so that the bits do not depend on the number of threads.
func (d *device) clipNorm(e *executable, o *backend.ClipNorm) func() {
	x, limit := e.Floats(o.X), float64(o.Max)
	sums := make([]float64, pieces(len(x), elementsPerTask))
	add := func(_ *worker, i int) {
		from, to := bounds(i, elementsPerTask, len(x))
		sums[i] = 0
		for _, v := range x[from:to] {
			sums[i] += float64(v) * float64(v)
		}
	}
	var factor float32
	scale := func(_ *worker, i int) {
		from, to := bounds(i, elementsPerTask, len(x))
		d.set.Scale(x[from:to], factor)
	}
	return func() {
		d.pool.run(len(sums), add)
		var squares float64
		for _, s := range sums {
			squares += s
		}
		if norm := math.Sqrt(squares); norm > limit {
			factor = float32(limit / norm)
			d.pool.run(len(sums), scale)
		}
	}
}
