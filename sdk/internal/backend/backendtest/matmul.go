package backendtest

import (
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func testMatMul(t *testing.T, s suite) {
	affineOf := func(bias string, m, n, k int) func(g *graph) {
		return func(g *graph) {
			g.read("y", g.Affine(g.items("x", m, m, k), g.param("w", n, k), g.param(bias, n)))
		}
	}
	product := func(m, n, k int, onBase bool) func(g *graph) {
		return func(g *graph) {
			base := g.copied(g.items("base", m, m, k))
			if !onBase {
				base = backend.None
			}
			g.read("c", g.MatMul(g.items("a", m, m, n), g.param("b", n, k), base))
		}
	}
	weight := func(m, n, k int, scale float32) func(g *graph) {
		return func(g *graph) {
			g.WeightGrad(g.items("dy", m, m, n), g.items("x", m, m, k), g.gradient("dw", n, k), scale)
		}
	}
	bias := func(m, n int, scale float32) func(g *graph) {
		return func(g *graph) { g.BiasGrad(g.items("dy", m, m, n), g.gradient("db", n), scale) }
	}
	for _, c := range []struct{ m, n, k int }{{1, 1, 1}, {7, 37, 5}, {65, 16, 63}, {37, 20, 64}, {21, 12, 36}, {261, 8, 44}, {257, 3, 197}} {
		name := fmt.Sprintf("%dx%dx%d", c.m, c.n, c.k)
		s.check(t, "affine "+name, affineOf("bias", c.m, c.n, c.k))
		s.check(t, "matmul "+name, product(c.m, c.n, c.k, false))
		s.check(t, "matmul onto base "+name, product(c.m, c.n, c.k, true))
		s.check(t, "weightgrad "+name, weight(c.m, c.n, c.k, 0.1))
		s.check(t, "biasgrad "+name, bias(c.m, c.n, 0.1))
	}
	// As many rows as a real batch has tokens: the sum over them is cut into slices.
	s.check(t, "weightgrad of 1537 rows", weight(1537, 17, 5, 1))
	s.check(t, "biasgrad of 1537 rows", bias(1537, 17, 1))
	s.independent(t, "affine", 37, func(g *graph, n int) { affineOf("bias", n, 65, 67)(g) })
	s.rejects(t, "another bias", affineOf("bias", 7, 37, 5), affineOf("other bias", 7, 37, 5))
	s.rejects(t, "no base", product(7, 37, 5, true), product(7, 37, 5, false))
	s.rejects(t, "another weightgrad scale", weight(7, 37, 5, 0.1), weight(7, 37, 5, 0.101))
	s.rejects(t, "another biasgrad scale", bias(7, 37, 0.1), bias(7, 37, 0.101))
}
