package backendtest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

type embedSize struct{ batch, height, width, patch, prefix, dim int }

func (c embedSize) record(g *graph, swapChannels bool) {
	area := c.height * c.width
	image := g.items("image", c.batch, c.batch, 3, c.height, c.width)
	if x := g.floats[image]; swapChannels {
		for i := 0; i < len(x); i += 3 * area {
			copy(x[i:], slices.Concat(x[i+2*area:i+3*area], x[i+area:i+2*area], x[i:i+area]))
		}
	}
	grid := c.height / c.patch * (c.width / c.patch)
	prefix := backend.None
	if c.prefix > 0 {
		prefix = g.param("prefix", c.prefix, c.dim)
	}
	g.read("x", g.PatchEmbed(image, g.param("weight", c.dim, 3*c.patch*c.patch), g.param("bias", c.dim),
		prefix, g.param("pos", grid, c.dim), c.patch))
}

func testPatchEmbed(t *testing.T, s suite) {
	for _, c := range []embedSize{{1, 1, 1, 1, 1, 1}, {2, 6, 4, 2, 1, 7}, {1, 28, 42, 14, 5, 67}, {3, 16, 16, 16, 1, 64}, {2, 8, 12, 4, 0, 24}} {
		s.check(t, fmt.Sprintf("%d of %dx%d patch %d prefix %d dim %d", c.batch, c.height, c.width, c.patch, c.prefix, c.dim),
			func(g *graph) { c.record(g, false) })
	}
	s.independent(t, "forward", 3, func(g *graph, n int) { embedSize{n, 21, 14, 7, 1, 67}.record(g, false) })
	c := embedSize{2, 6, 4, 2, 1, 7}
	s.rejects(t, "red and blue swapped", func(g *graph) { c.record(g, false) }, func(g *graph) { c.record(g, true) })
	turned := embedSize{2, 4, 6, 2, 1, 7}
	s.rejects(t, "height and width swapped", func(g *graph) { c.record(g, false) }, func(g *graph) { turned.record(g, false) })
}
