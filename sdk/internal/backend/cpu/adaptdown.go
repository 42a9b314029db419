package cpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// adaptDown is h = dropout(ReLU(x downᵀ + bias)).
func (d *device) adaptDown(e *executable, o *backend.AdaptDown) func() {
	m, k := matrix(e, o.X)
	_, r := matrix(e, o.H)
	g := &gemm{set: d.set, m: m, n: r, c: e.Floats(o.H), ldc: r,
		terms: []term{{a: e.Floats(o.X), rs: k, cs: 1, k: k, b: transposed{d.set, e.Floats(o.Down), r, k, 1}}}}
	addBias := d.addBias(g, e.Floats(o.Bias))
	drop := ref.Dropout{P: o.Dropout, Stream: o.Stream}
	g.finish = func(i, m, j, n int) {
		addBias(i, m, j, n)
		for row := i; row < i+m; row++ {
			reluDropout(g.c, row*r+j, row*r+j+n, drop)
		}
	}
	run := g.compile(d.pool)
	if o.Dropout == 0 {
		return run
	}
	key := e.Ints(o.Key)
	return func() {
		drop.Key = uint32(key[0])
		run()
	}
}

// reluDropout treats elements from to to of h.
func reluDropout(h []float32, from, to int, drop ref.Dropout) {
	scale := float32(1 / (1 - float64(drop.P)))
	for e := from; e < to; e++ {
		switch {
		case h[e] <= 0 || drop.P > 0 && !drop.Keeps(uint32(e)):
			h[e] = 0
		default:
			h[e] *= scale
		}
	}
}

// adaptDownBackward is dh = scale (g up) where h > 0, else 0.
func (d *device) adaptDownBackward(e *executable, o *backend.AdaptDownBackward) func() {
	m, k := matrix(e, o.G)
	_, r := matrix(e, o.H)
	h := e.Floats(o.H)
	g := &gemm{set: d.set, m: m, n: r, c: e.Floats(o.DH), ldc: r,
		terms: []term{{a: e.Floats(o.G), rs: k, cs: 1, k: k, b: rowsOf{d.set, e.Floats(o.Up), r}}}}
	g.finish = func(i, m, j, n int) {
		for row := i; row < i+m; row++ {
			for at := row*r + j; at < row*r+j+n; at++ {
				if h[at] > 0 {
					g.c[at] *= o.Scale
				} else {
					g.c[at] = 0
				}
			}
		}
	}
	return g.compile(d.pool)
}
