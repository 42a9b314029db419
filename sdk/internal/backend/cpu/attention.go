package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// heads is the layout of an attention and of its working memory. A task is one head of one image; the queries of the
// head are taken in blocks, so that of the scores only block x tokens exist at a time.
type heads struct {
	*device
	batch, tokens, count, dim int // dim is a head's
	scale                     float32
	block                     int // queries at a time
	keys                      int // tokens, rounded up to whole panels
	channels                  int // dim, rounded up to whole panels
}

func (d *device) heads(e *executable, h backend.Heads, qkv backend.Value) heads {
	_, n := matrix(e, qkv)
	dim := n / (3 * h.Count)
	mr, nr := d.set.MR, d.set.NR
	const queries = 64
	return heads{device: d, batch: h.Batch, tokens: h.Tokens, count: h.Count, dim: dim,
		scale: float32(1 / math.Sqrt(float64(dim))), block: pieces(min(h.Tokens, queries), mr) * mr,
		keys: pieces(h.Tokens, nr) * nr, channels: pieces(dim, nr) * nr}
}

// stride is the length of a row of qkv; o has a third of it.
func (h heads) stride() int { return 3 * h.count * h.dim }

// row is the index of task i's first query in qkv; the key and the value lie count dim elements behind one another.
func (h heads) row(i int) int { return i/h.count*h.tokens*h.stride() + i%h.count*h.dim }

// output is the index of task i's first row in o.
func (h heads) output(i int) int { return i/h.count*h.tokens*h.count*h.dim + i%h.count*h.dim }

// carve cuts consecutive pieces of n elements off memory.
type carve struct{ memory []float32 }

func (c *carve) take(n int) []float32 {
	piece := c.memory[:n:n]
	c.memory = c.memory[n:]
	return piece
}

// scratch gives each worker n elements of its own.
func (h heads) scratch(e *executable, n int) func(w *worker) carve {
	n = pieces(n, 16) * 16
	memory := e.Scratch(n * h.pool.size())
	return func(w *worker) carve { return carve{memory[w.id*n : (w.id+1)*n]} }
}

// packKeys makes panels of tokens: the transpose of x [tokens, dim], which lies stride elements from row to row.
func (h heads) packKeys(dst, x []float32) {
	nr := h.set.NR
	for t := 0; t < h.tokens; t += nr {
		packColumns(h.set, dst[t*h.dim:(t+nr)*h.dim], x[t*h.stride():], h.stride(), h.dim, min(nr, h.tokens-t))
	}
}

// packChannels makes panels of channels of x [tokens, dim], ld elements from row to row.
func (h heads) packChannels(dst, x []float32, ld int) {
	nr := h.set.NR
	for c := 0; c < h.dim; c += nr {
		packRows(h.set, dst[c*h.tokens:(c+nr)*h.tokens], x[c:], ld, h.tokens, min(nr, h.dim-c))
	}
}

// scores is s [m, keys] = x kᵀ for m rows of x, ld apart; k is panels of tokens.
func (h heads) scores(s []float32, m int, x []float32, ld int, k []float32) {
	nr := h.set.NR
	for t := 0; t < h.tokens; t += nr {
		h.set.Gemm(m, h.dim, x, ld, 1, k[t*h.dim:], nr, s[t:], h.keys, false)
	}
}

// product is out [m, dim] = p x, or adds to it: element (i, t) of p is p[i*rs + t*cs], t < n; x is panels of channels,
// from their row first on; out has ld elements from row to row.
func (h heads) product(w *worker, out []float32, ld, m, n int, p []float32, rs, cs int, x []float32, first int, add bool) {
	nr := h.set.NR
	for c := 0; c < h.dim; c += nr {
		product(h.set, w, m, min(nr, h.dim-c), n, p, rs, cs, x[c*h.tokens+first*nr:], out[c:], ld, add)
	}
}

// attention is o = softmax(q kᵀ / sqrt(d)) v and the log-sum-exp of the scores.
func (d *device) attention(e *executable, o *backend.Attention) func() {
	h := d.heads(e, o.Heads, o.QKV)
	qkv, out, lse := e.Floats(o.QKV), e.Floats(o.O), e.Floats(o.LSE)
	scratch := h.scratch(e, h.dim*h.keys+h.tokens*h.channels+h.block*h.keys)
	int8s, wanted := d.rounded(e)[o.O], e.Read(o.LSE)
	task := func(w *worker, i int) {
		c := scratch(w)
		at := out[h.output(i):]
		var sums []float32
		if wanted {
			sums = lse[i*h.tokens:]
		}
		h.forward(w, &c, qkv[h.row(i):], at, sums)
		for t := 0; int8s != nil && t < h.tokens; t++ {
			d.roundPart(int8s, i/h.count*h.tokens+t, i%h.count*h.dim, at[t*h.count*h.dim:][:h.dim])
		}
	}
	return func() { d.pool.run(h.batch*h.count, task) }
}

// forward computes one head; lse is nil where nobody wants it.
func (h heads) forward(w *worker, c *carve, qkv, o, lse []float32) {
	dim, ld := h.count*h.dim, h.stride()
	k, v, s := c.take(h.dim*h.keys), c.take(h.tokens*h.channels), c.take(h.block*h.keys)
	h.packKeys(k, qkv[dim:])
	h.packChannels(v, qkv[2*dim:], ld)
	for t0 := 0; t0 < h.tokens; t0 += h.block {
		m := min(h.block, h.tokens-t0)
		h.scores(s, m, qkv[t0*ld:], ld, k)
		for i := range m {
			row := s[i*h.keys : i*h.keys+h.tokens]
			top := h.scale * h.set.Largest(row)
			sum := h.set.ExpSum(row, h.scale, top)
			if lse != nil {
				lse[t0+i] = top + float32(math.Log(float64(sum)))
			}
			h.set.Scale(row, 1/sum)
		}
		h.product(w, o[t0*dim:], dim, m, h.tokens, s, h.keys, 1, v, 0, false)
	}
}

// attentionBackward is dqkv, with P recomputed from the log-sum-exp.
func (d *device) attentionBackward(e *executable, o *backend.AttentionBackward) func() {
	h := d.heads(e, o.Heads, o.QKV)
	g := headGradients{qkv: e.Floats(o.QKV), o: e.Floats(o.O), do: e.Floats(o.DO), lse: e.Floats(o.LSE),
		delta: e.Floats(o.Delta), dqkv: e.Floats(o.DQKV)}
	scratch := h.scratch(e, 2*h.dim*h.keys+3*h.tokens*h.channels+2*h.block*h.keys)
	task := func(w *worker, i int) {
		c := scratch(w)
		h.backward(w, &c, g.of(h, i))
	}
	return func() { d.pool.run(h.batch*h.count, task) }
}

// headGradients are the operands of a backward pass, from one head's first element on.
type headGradients struct{ qkv, o, do, lse, delta, dqkv []float32 }

func (g headGradients) of(h heads, i int) headGradients {
	row, out, t := h.row(i), h.output(i), i*h.tokens
	return headGradients{qkv: g.qkv[row:], o: g.o[out:], do: g.do[out:], lse: g.lse[t:], delta: g.delta[t:], dqkv: g.dqkv[row:]}
}

// backward computes one head. dk and dv are sums over the blocks of queries, in order.
func (h heads) backward(w *worker, c *carve, g headGradients) {
	dim, ld := h.count*h.dim, h.stride()
	kt, vt := c.take(h.dim*h.keys), c.take(h.dim*h.keys)
	q, k, do := c.take(h.tokens*h.channels), c.take(h.tokens*h.channels), c.take(h.tokens*h.channels)
	p, ds := c.take(h.block*h.keys), c.take(h.block*h.keys)
	h.packKeys(kt, g.qkv[dim:])
	h.packKeys(vt, g.qkv[2*dim:])
	h.packChannels(q, g.qkv, ld)
	h.packChannels(k, g.qkv[dim:], ld)
	h.packChannels(do, g.do, dim)
	for t0 := 0; t0 < h.tokens; t0 += h.block {
		m := min(h.block, h.tokens-t0)
		h.scores(p, m, g.qkv[t0*ld:], ld, kt)
		h.scores(ds, m, g.do[t0*dim:], dim, vt)
		for i := range m {
			at, t := i*h.keys, t0+i
			row := t * dim
			g.delta[t] = h.set.Dot(g.do[row:row+h.dim], g.o[row:row+h.dim])
			h.set.ExpSum(p[at:at+h.tokens], h.scale, g.lse[t])
			h.set.ScoreGrad(ds[at:at+h.tokens], p[at:at+h.tokens], g.delta[t], h.scale)
		}
		h.product(w, g.dqkv[t0*ld:], ld, m, h.tokens, ds, h.keys, 1, k, 0, false)
		h.product(w, g.dqkv[dim:], ld, h.tokens, m, ds, 1, h.keys, q, t0, t0 > 0)
		h.product(w, g.dqkv[2*dim:], ld, h.tokens, m, p, 1, h.keys, do, t0, t0 > 0)
	}
}
