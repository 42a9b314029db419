package backendtest

import (
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func testSwiGLU(t *testing.T, s suite) {
	for _, shape := range [][]int{{1, 1}, {7, 37}, {65, 67}} {
		m, h := shape[0], shape[1]
		forward := func(g *graph) { g.read("y", g.SwiGLU(g.items("x", m, m, 2*h))) }
		backward := func(g *graph) {
			g.read("dx", g.SwiGLUBackward(g.items("x", m, m, 2*h), g.items("dy", m, m, h)))
		}
		// The other order of the halves, as some other models have it.
		swapped := func(op func(g *graph, x backend.Value)) func(g *graph) {
			return func(g *graph) {
				x := g.items("x", m, m, 2*h)
				for r := range m {
					row := g.floats[x][2*r*h:][:2*h]
					for j := range h {
						row[j], row[h+j] = row[h+j], row[j]
					}
				}
				op(g, x)
			}
		}
		name := fmt.Sprintf(" %dx%d", m, h)
		s.check(t, "swiglu"+name, forward)
		s.check(t, "swiglu_bwd_x"+name, backward)
		s.rejects(t, "gate in the second half"+name, forward, swapped(func(g *graph, x backend.Value) { g.read("y", g.SwiGLU(x)) }))
		s.rejects(t, "gradients of swapped halves"+name, backward, swapped(func(g *graph, x backend.Value) {
			g.read("dx", g.SwiGLUBackward(x, g.items("dy", m, m, h)))
		}))
	}
}
