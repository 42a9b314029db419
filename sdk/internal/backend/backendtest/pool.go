package backendtest

import (
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func testPool(t *testing.T, s suite) {
	modes := map[backend.PoolMode]string{backend.PoolCLS: "cls", backend.PoolMean: "mean", backend.PoolCLSMean: "cls_mean"}
	forward := func(mode backend.PoolMode, b, tokens, prefix, d int) func(g *graph) {
		return func(g *graph) { g.read("y", g.Pool(g.items("x", b, b*tokens, d), mode, b, prefix)) }
	}
	backward := func(mode backend.PoolMode, b, tokens, prefix, d int) func(g *graph) {
		return func(g *graph) {
			like := g.items("x", b, b*tokens, d)
			dy := g.items("dy", b, b, d)
			if mode == backend.PoolCLSMean {
				dy = g.items("dy", b, b, 2*d)
			}
			g.read("dx", g.PoolBackward(dy, like, mode, b, prefix))
		}
	}
	for mode, word := range modes {
		for _, c := range []struct{ b, tokens, prefix, d int }{{1, 1, 0, 1}, {2, 7, 1, 37}, {3, 65, 5, 64}, {1, 197, 0, 67}} {
			name := fmt.Sprintf("%s %d of %d tokens prefix %d dim %d", word, c.b, c.tokens, c.prefix, c.d)
			s.check(t, name, forward(mode, c.b, c.tokens, c.prefix, c.d))
			s.check(t, "backward "+name, backward(mode, c.b, c.tokens, c.prefix, c.d))
		}
		s.independent(t, word, 5, func(g *graph, n int) { forward(mode, n, 17, 1, 67)(g) })
	}
	s.rejects(t, "another prefix", forward(backend.PoolMean, 2, 7, 1, 37), forward(backend.PoolMean, 2, 7, 2, 37))
	s.rejects(t, "another prefix backward", backward(backend.PoolCLSMean, 2, 7, 1, 37), backward(backend.PoolCLSMean, 2, 7, 0, 37))
}
