package selftest

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// halves are attentions whose qkv is float16, one with heads of odd width. What layers store so is part of their own cases.
var halves = []Case{
	{"attention of float16", []string{"linear_f32", "attention", "attentionprobs", "attention_scores", "attention_softmax", "attention_values"}, float, func(g *graph, s size) {
		h, d := backend.Heads{Batch: 2, Tokens: 37, Count: 2}, 2*32
		if s == sizes[Odd] {
			h.Count, d = 4, 4*5
		}
		qkv := g.stored(h.Batch*h.Tokens, 3*d)
		o, lse := g.Attention(qkv, h)
		g.read(o, lse, g.AttentionProbs(qkv, lse, h))
	}},
	{"attention_round of float16", []string{"linear_f32", "attention_round", "linear_q8ca8"}, flips, func(g *graph, s size) {
		h, d := backend.Heads{Batch: 2, Tokens: s.m, Count: 2}, 2*quant.ActivationBlock
		o, _ := g.Attention(g.stored(h.Batch*h.Tokens, 3*d), h)
		g.read(g.Linear(o, g.int8s(quant.Q8C, s.n, d, quant.ActivationBlock)))
	}},
	{"windowattention of float16", []string{"linear_f32", "windowattention", "windowprobs",
		"windowattention_scores", "windowattention_softmax", "windowattention_values"}, float, func(g *graph, s size) {
		w, d := windowsOf(), 2*16
		if s == sizes[Odd] {
			w.Count, d = 4, 4*5
		}
		qkv, pad, table := g.stored(w.Batch*w.Tokens(), 3*d), g.param(normal("pad", 3*d), 3*d), g.param(normal("table", w.Entries()*w.Count), w.Entries(), w.Count)
		g.read2(g.WindowAttention(qkv, pad, table, w))
		g.read(g.WindowProbs(qkv, pad, table, w))
	}},
}

// halfLinear is a layer whose results are float16.
func (g *graph) halfLinear(x backend.Value, f backend.Frozen) backend.Value {
	f.Half = true
	return g.Linear(x, f)
}

// stored is a matrix of normal numbers as float16: a layer that changes nothing made it, so that no sum decides how one is rounded.
func (g *graph) stored(m, n int) backend.Value {
	same := make([]float32, n*n)
	for i := range n {
		same[i*n+i] = 1
	}
	return g.halfLinear(g.input(normal("qkv", m*n), m, n), g.layer(quant.F32, same, make([]float32, n), n))
}
