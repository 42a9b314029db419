package backendtest

import (
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func testLoss(t *testing.T, s suite) {
	// The first image has logits up to some hundred: exp of them overflows float32.
	logits := func(g *graph, b, c int) backend.Value {
		z := g.items("z", b, b, c)
		for i := range g.floats[z][:c] {
			g.floats[z][i] *= 100
		}
		return z
	}
	single := func(b, c, shift int, scale, smoothing float32) func(g *graph) {
		return func(g *graph) {
			target := make([]int32, b)
			for i := range target {
				target[i] = int32((i*5 + shift + c - 1) % c)
			}
			loss, dz := g.CrossEntropy(logits(g, b, c), g.inputInts("target", target...), scale, smoothing)
			g.read("loss", loss)
			g.read("dz", dz)
		}
	}
	multi := func(b, c, flip int, scale float32) func(g *graph) {
		return func(g *graph) {
			y := make([]float32, b*c)
			for i := range y {
				y[i] = float32((i*7/3 + flip) % 2)
			}
			loss, dz := g.BinaryCrossEntropy(logits(g, b, c), g.input("target", y, b, c), scale)
			g.read("loss", loss)
			g.read("dz", dz)
		}
	}
	for _, c := range []struct{ b, c int }{{1, 1}, {2, 7}, {37, 65}, {3, 1000}} {
		name := fmt.Sprintf("%dx%d", c.b, c.c)
		s.check(t, "crossentropy "+name, single(c.b, c.c, 0, 1/float32(c.b), 0))
		s.check(t, "crossentropy with smoothing "+name, single(c.b, c.c, 0, 1/float32(c.b), 0.1))
		s.check(t, "binarycrossentropy "+name, multi(c.b, c.c, 0, 1/float32(c.b*c.c)))
	}
	s.rejects(t, "next class", single(5, 7, 0, 0.2, 0), single(5, 7, 1, 0.2, 0))
	s.rejects(t, "another smoothing", single(5, 7, 0, 0.2, 0.1), single(5, 7, 0, 0.2, 0.11))
	s.rejects(t, "smoothing among the other classes only", single(5, 7, 0, 0.2, 0.1), single(5, 7, 0, 0.2, 0.1*7/6.0))
	s.rejects(t, "crossentropy of another scale", single(5, 7, 0, 0.2, 0), single(5, 7, 0, 0.25, 0))
	s.rejects(t, "flipped flags", multi(5, 7, 0, 0.2), multi(5, 7, 1, 0.2))
}
