package backendtest

import (
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// stats are running statistics that the case updates.
func (g *graph) stats(f int, eps, momentum float32) backend.BatchStats {
	return backend.BatchStats{Mean: g.updated("running mean", normal("mean", 0, f), f),
		Var: g.updated("running variance", positive("variance", f), f), Eps: eps, Momentum: momentum}
}

func positive(name string, n int) []float32 {
	x := normal(name, 0, n)
	for i, v := range x {
		x[i] = v*v + 0.1
	}
	return x
}

func testBatchNorm(t *testing.T, s suite) {
	// Some features hardly vary, so that eps shows.
	features := func(g *graph, b, f int) backend.Value {
		v := g.items("x", b, b, f)
		for i, x := range g.floats[v] {
			if i%f%3 == 1 {
				g.floats[v][i] = 2e-3*x + 0.01
			}
		}
		return v
	}
	train := func(b, f int, eps, momentum float32) func(g *graph) {
		return func(g *graph) {
			y, rstd := g.BatchNormTrain(features(g, b, f), g.stats(f, eps, momentum))
			g.read("y", y)
			g.read("rstd", rstd)
			// Two images leave a gradient of rounding noise only, one image none at all.
			if b != 2 {
				g.read("dx", g.BatchNormBackward(y, rstd, g.items("dy", b, b, f)))
			}
		}
	}
	eval := func(b, f int, eps float32) func(g *graph) {
		return func(g *graph) {
			s := backend.BatchStats{Mean: g.param("mean", f), Var: g.Param("variance", g.buffer("variance", affine(positive("variance", f), 1e-3, 0)), 0, f), Eps: eps}
			g.read("y", g.BatchNorm(g.items("x", b, b, f), s))
		}
	}
	for _, c := range []struct{ b, f int }{{1, 1}, {1, 65}, {2, 7}, {3, 37}, {33, 67}, {257, 5}} {
		name := fmt.Sprintf("%dx%d", c.b, c.f)
		s.check(t, "train "+name, train(c.b, c.f, 1e-6, 0.1))
		s.check(t, "eval "+name, eval(c.b, c.f, 1e-6))
	}
	s.independent(t, "eval", 33, func(g *graph, n int) { eval(n, 67, 1e-6)(g) })
	s.rejects(t, "eps 1e-5 in training", train(3, 37, 1e-6, 0.1), train(3, 37, 1e-5, 0.1))
	s.rejects(t, "momentum 0.9", train(3, 37, 1e-6, 0.1), train(3, 37, 1e-6, 0.9))
	s.rejects(t, "eps 1e-3 in use", eval(3, 37, 1e-6), eval(3, 37, 1e-3))
}
