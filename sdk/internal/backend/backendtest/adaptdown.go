package backendtest

import (
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// drop is a dropout to test.
type drop struct {
	p      float32
	key    int32
	stream uint32
}

func (d drop) record(g *graph) backend.Dropout {
	if d.p == 0 {
		return backend.Dropout{}
	}
	return backend.Dropout{P: d.p, Key: g.inputInts("key", d.key), Stream: d.stream}
}

func testAdaptDown(t *testing.T, s suite) {
	forward := func(m, d, r int, p drop) func(g *graph) {
		return func(g *graph) {
			g.read("h", g.AdaptDown(g.items("x", m, m, d), g.param("down", r, d), g.param("bias", r), p.record(g)))
		}
	}
	backward := func(m, d, r int, scale float32) func(g *graph) {
		return func(g *graph) {
			h := g.items("h", m, m, r)
			for i, v := range g.floats[h] {
				g.floats[h][i] = max(v, 0)
			}
			g.read("dh", g.AdaptDownBackward(g.items("g", m, m, d), g.param("up", d, r), h, scale))
		}
	}
	for i, c := range []struct{ m, d, r int }{{1, 3, 1}, {7, 37, 5}, {65, 64, 16}, {21, 36, 20}, {37, 197, 64}} {
		name := fmt.Sprintf("%dx%d r %d", c.m, c.d, c.r)
		s.check(t, name, forward(c.m, c.d, c.r, drop{}))
		s.check(t, name+" dropout", forward(c.m, c.d, c.r, drop{0.1, int32(-i), uint32(i)}))
		s.check(t, "backward "+name, backward(c.m, c.d, c.r, 0.1))
	}
	s.independent(t, "forward", 70, func(g *graph, n int) { forward(n, 67, 7, drop{})(g) })
	right := forward(7, 37, 5, drop{0.5, 1, 2})
	s.rejects(t, "another key", right, forward(7, 37, 5, drop{0.5, 2, 2}))
	s.rejects(t, "another stream", right, forward(7, 37, 5, drop{0.5, 1, 3}))
	s.rejects(t, "no dropout", right, forward(7, 37, 5, drop{}))
	s.rejects(t, "backward with another scale", backward(7, 37, 5, 0.1), backward(7, 37, 5, 0.101))
	for _, p := range []drop{{0.1, 0, 0}, {0.1, -123456789, 11}, {0.5, 1 << 30, 1 << 31}, {0.9, -1, 5}} {
		t.Run(fmt.Sprintf("mask p %v key %d stream %d", p.p, p.key, p.stream), func(t *testing.T) { s.mask(t, p) })
	}
}

// mask checks every bit of a dropout mask: with x = 0 and bias 1 the hidden state is the mask itself.
func (s suite) mask(t *testing.T, p drop) {
	const m, d, r = 197, 2, 64
	ones := affine(make([]float32, r), 0, 1)
	got := run(t, s.be, 0, func(g *graph) {
		bias := g.Param("bias", g.buffer("bias", ones), 0, r)
		g.read("h", g.AdaptDown(g.input("x", make([]float32, m*d), m, d), g.param("down", r, d), bias, p.record(g)))
	}).tensors["h"]
	want := ref.Dropout{P: p.p, Key: uint32(p.key), Stream: p.stream}
	kept := 0
	for i, v := range got.Data {
		keeps := want.Keeps(uint32(i))
		if (v != 0) != keeps {
			t.Fatalf("element %d is %v, kept: %v", i, v, keeps)
		}
		if keeps {
			kept++
		}
	}
	if kept == 0 || kept == m*r {
		t.Errorf("%d of %d kept: the mask shows nothing", kept, m*r)
	}
}
