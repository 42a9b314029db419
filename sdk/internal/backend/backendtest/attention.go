package backendtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

type attentionSize struct{ batch, tokens, heads, dim int }

func (c attentionSize) layout(batch int) backend.Heads {
	return backend.Heads{Batch: batch, Tokens: c.tokens, Count: c.heads}
}

func (c attentionSize) forward(scale float32) func(g *graph) {
	return func(g *graph) { c.record(g, c.batch, c.layout(c.batch), scale) }
}

// record has heads apart from the size, so that a faulty case can lie about them. The numbers are rounded to halves,
// so that with large logits the scores are exact in float32 and what is compared is the softmax.
func (c attentionSize) record(g *graph, batch int, h backend.Heads, scale float32) {
	rows := batch * c.tokens
	qkv := g.items("qkv", batch, rows, 3*c.heads*c.dim)
	if scale != 1 {
		for i, v := range g.floats[qkv] {
			g.floats[qkv][i] = float32(math.Round(float64(2*scale*v))) / 2
		}
	}
	o, lse := g.Attention(qkv, h)
	g.read("o", o)
	g.read("lse", lse)
	if scale == 1 {
		g.read("probs", g.AttentionProbs(qkv, lse, h))
	}
}

// backward takes the derivative at the qkv of another head layout where faulty says so.
func (c attentionSize) backward(count int) func(g *graph) {
	return func(g *graph) {
		rows, h := c.batch*c.tokens, backend.Heads{Batch: c.batch, Tokens: c.tokens, Count: count}
		qkv := g.items("qkv", c.batch, rows, 3*c.heads*c.dim)
		o, lse := g.Attention(qkv, h)
		g.read("dqkv", g.AttentionBackward(qkv, o, lse, g.items("do", c.batch, rows, c.heads*c.dim), h))
	}
}

func testAttention(t *testing.T, s suite) {
	for _, c := range []attentionSize{{1, 1, 1, 4}, {2, 7, 3, 5}, {1, 65, 2, 64}, {2, 49, 2, 32}, {1, 197, 1, 16}, {2, 30, 3, 20}, {1, 9, 2, 72}} {
		name := fmt.Sprintf("%d images %d tokens %d heads of %d", c.batch, c.tokens, c.heads, c.dim)
		s.check(t, name, c.forward(1))
		s.check(t, "backward "+name, c.backward(c.heads))
	}
	large := attentionSize{1, 65, 2, 64}
	s.check(t, "logits up to 80", large.forward(4))
	s.independent(t, "forward", 3, func(g *graph, n int) { c := attentionSize{n, 37, 2, 32}; c.forward(1)(g) })
	c := attentionSize{2, 7, 2, 6}
	one := func(g *graph) { c.record(g, c.batch, backend.Heads{Batch: 1, Tokens: 14, Count: 2}, 4) }
	s.rejects(t, "attention across images", c.forward(4), func(g *graph) {
		one(g)
		g.reads = g.reads[:1] // lse has another shape
	})
	s.rejects(t, "backward with one head for two", c.backward(2), c.backward(1))
}
