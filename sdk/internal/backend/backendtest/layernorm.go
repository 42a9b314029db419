package backendtest

import (
	"fmt"
	"testing"
)

// rows is LayerNorm input of m rows: plain, of tiny variance (eps shows) or of large mean (a one-pass variance fails).
func (g *graph) rows(kind string, m, d int) []float32 {
	var x []float32
	for i := range m {
		r := normal("x", g.first+i, d)
		switch kind {
		case "tiny variance":
			affine(r, 2e-3, 0.01)
		case "large mean":
			affine(r, 4, 100)
		}
		x = append(x, r...)
	}
	return x
}

func testLayerNorm(t *testing.T, s suite) {
	forward := func(kind string, m, d int, eps float32) func(g *graph) {
		return func(g *graph) {
			y, stats := g.LayerNorm(g.input("x", g.rows(kind, m, d), m, d), g.norm("norm", d, eps))
			g.read("y", y)
			g.read("mean", stats.Mean)
			g.read("rstd", stats.Rstd)
		}
	}
	backward := func(kind string, m, d int, eps float32, base bool) func(g *graph) {
		return func(g *graph) {
			x, n := g.input("x", g.rows(kind, m, d), m, d), g.norm("norm", d, eps)
			_, stats := g.LayerNorm(x, n)
			dy, to := g.items("dy", m, m, d), g.copied(g.items("base", m, m, d))
			if !base {
				to = 0
			}
			g.read("dx", g.LayerNormBackward(x, n, stats, dy, to))
		}
	}
	gain := func(kind string, m, d int, eps float32) func(g *graph) {
		return func(g *graph) {
			x, n := g.input("x", g.rows(kind, m, d), m, d), g.norm("norm", d, eps)
			_, stats := g.LayerNorm(x, n)
			g.LayerNormGrad(x, stats, g.items("dy", m, m, d), g.gradient("dgamma", d), g.gradient("dbeta", d))
		}
	}
	for _, c := range []struct {
		kind string
		m, d int
	}{{"plain", 1, 1}, {"plain", 7, 37}, {"tiny variance", 65, 64}, {"plain", 2, 257}, {"large mean", 5, 197}} {
		name := fmt.Sprintf("%s %dx%d", c.kind, c.m, c.d)
		s.check(t, name, forward(c.kind, c.m, c.d, 1e-6))
		s.check(t, "backward "+name, backward(c.kind, c.m, c.d, 1e-6, false))
		s.check(t, "gain and bias "+name, gain(c.kind, c.m, c.d, 1e-6))
		s.check(t, "backward onto base "+name, backward(c.kind, c.m, c.d, 1e-6, true))
	}
	s.check(t, "gain and bias of 1537 rows", gain("plain", 1537, 5, 1e-6)) // sums cut into slices
	s.rejects(t, "gain with eps 1e-5", gain("tiny variance", 7, 64, 1e-6), gain("tiny variance", 7, 64, 1e-5))
	s.independent(t, "forward", 37, func(g *graph, n int) { forward("plain", n, 67, 1e-6)(g) })
	s.rejects(t, "eps 1e-5", forward("tiny variance", 7, 64, 1e-6), forward("tiny variance", 7, 64, 1e-5))
	s.rejects(t, "backward with eps 1e-5", backward("tiny variance", 7, 64, 1e-6, false), backward("tiny variance", 7, 64, 1e-5, false))
	s.rejects(t, "backward without its base", backward("plain", 7, 64, 1e-6, true), backward("plain", 7, 64, 1e-6, false))
}
