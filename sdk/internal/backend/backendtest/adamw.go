package backendtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func testAdamW(t *testing.T, s suite) {
	usual := backend.AdamWConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-3, WeightDecay: 0.05}
	step := func(n, at int, lr float32, c backend.AdamWConfig) func(g *graph) {
		return func(g *graph) {
			v := normal("v", 0, n)
			for i := range v {
				v[i] *= v[i]
			}
			c1, c2 := 1-math.Pow(float64(c.Beta1), float64(at)), 1-math.Pow(float64(c.Beta2), float64(at))
			g.AdamW(g.updated("param", normal("param", 0, n), n), g.items("grad", 1, n), g.updated("m", normal("m", 0, n), n), g.updated("v", v, n),
				g.input("rates", []float32{lr, float32(c1), float32(c2)}, 3), c)
		}
	}
	changed := func(f func(*backend.AdamWConfig)) backend.AdamWConfig {
		c := usual
		f(&c)
		return c
	}
	for _, n := range []int{1, 64, 1027} {
		for _, at := range []int{1, 7, 1000} {
			s.check(t, fmt.Sprintf("%d parameters, step %d", n, at), step(n, at, 0.01, usual))
		}
	}
	s.check(t, "no decay", step(65, 3, 0.01, changed(func(c *backend.AdamWConfig) { c.WeightDecay = 0 })))
	s.check(t, "rate 0 moves the moments only", step(65, 3, 0, usual))
	s.rejects(t, "another step", step(65, 3, 0.01, usual), step(65, 4, 0.01, usual))
	s.rejects(t, "no decay", step(65, 3, 0.01, usual), step(65, 3, 0.01, changed(func(c *backend.AdamWConfig) { c.WeightDecay = 0 })))
	s.rejects(t, "another beta1", step(65, 3, 0.01, usual), step(65, 3, 0.01, changed(func(c *backend.AdamWConfig) { c.Beta1 = 0.899 })))
	s.rejects(t, "another beta2", step(65, 3, 0.01, usual), step(65, 3, 0.01, changed(func(c *backend.AdamWConfig) { c.Beta2 = 0.998 })))
	s.rejects(t, "another eps", step(65, 3, 0.1, usual), step(65, 3, 0.1, changed(func(c *backend.AdamWConfig) { c.Eps = 2e-3 })))
}
