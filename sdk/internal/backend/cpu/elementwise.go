package cpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// elementsPerTask keeps a task of an elementwise operator at some 10 µs.
const elementsPerTask = 1 << 14

// elements runs f on pieces of n elements in parallel.
func (d *device) elements(n int, f func(from, to int)) func() {
	task := func(_ *worker, i int) { f(bounds(i, elementsPerTask, n)) }
	return func() { d.pool.run(pieces(n, elementsPerTask), task) }
}

// add is y = a + b.
func (d *device) add(e *executable, o *backend.Add) func() {
	a, b, y := e.Floats(o.A), e.Floats(o.B), e.Floats(o.Y)
	return d.elements(len(y), func(from, to int) {
		copy(y[from:to], a[from:to])
		d.set.Add(y[from:to], b[from:to])
	})
}

// scale is y = factor x.
func (d *device) scale(e *executable, o *backend.Scale) func() {
	x, y := e.Floats(o.X), e.Floats(o.Y)
	return d.elements(len(y), func(from, to int) {
		copy(y[from:to], x[from:to])
		d.set.Scale(y[from:to], o.Factor)
	})
}

// scaleBy is y = s x.
func (d *device) scaleBy(e *executable, o *backend.ScaleBy) func() {
	x, y, s := e.Floats(o.X), e.Floats(o.Y), e.Floats(o.S)
	return d.elements(len(y), func(from, to int) {
		copy(y[from:to], x[from:to])
		d.set.Scale(y[from:to], s[0])
	})
}

// sgd is v = momentum v + g + weightDecay p, then p = p - lr v.
func (d *device) sgd(e *executable, o *backend.SGD) func() {
	grad, lr, param, velocity := e.Floats(o.Grad), e.Floats(o.LR), e.Floats(o.Param), e.Floats(o.Velocity)
	return d.elements(len(param), func(from, to int) {
		g, p, v := grad[from:to], param[from:to], velocity[from:to]
		d.set.Scale(v, o.Momentum)
		d.set.Add(v, g)
		if o.WeightDecay != 0 {
			d.set.Axpy(v, p, o.WeightDecay)
		}
		d.set.Axpy(p, v, -lr[0])
	})
}
