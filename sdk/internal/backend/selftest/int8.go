package selftest

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// flips is the tolerance where a device rounds to int8 what it computed in float32: at the middle between two integers
// its neighbour may win, which moves a value by 1/127 of its block's largest.
const flips = 2e-2

// int8Cases are the frozen layers of a scheme over int8 activations.
func int8Cases(scheme quant.Scheme) []Case {
	suffix := "_" + string(scheme) + "a8"
	return []Case{
		{"linear" + suffix, []string{"linear" + suffix, "quantize"}, 0, func(g *graph, s size) {
			x := g.rounded(s.m, s.k, 1)
			g.read(g.Linear(x, g.int8s(scheme, s.n, s.k, quant.PerToken)), g.halfLinear(x, g.int8s(scheme, s.n&^3, s.k, quant.PerToken)))
		}},
		{"linear" + suffix + " in blocks", []string{"linear" + suffix, "quantize"}, 0, func(g *graph, s size) {
			g.read(g.Linear(g.rounded(s.m, s.k, 1), g.int8s(scheme, s.n, s.k, quant.ActivationBlock)))
		}},
		{"linear_residual" + suffix, []string{"linear_residual" + suffix, "quantize"}, 0, func(g *graph, s size) {
			g.read(g.LinearResidual(g.rounded(s.m, s.k, 1), g.int8s(scheme, s.n, s.k, quant.ActivationBlock), g.input(ints("residual", s.m*s.n), s.m, s.n)))
		}},
		{"linear_residual_adapter" + suffix, []string{"linear_residual_adapter" + suffix, "quantize"}, 0, func(g *graph, s size) {
			g.read(g.LinearResidualAdapter(g.rounded(s.m, s.k, 1), g.int8s(scheme, s.n, s.k, quant.ActivationBlock), g.input(ints("residual", s.m*s.n), s.m, s.n),
				backend.Branch{Hidden: g.input(ints("hidden", s.m*s.r), s.m, s.r), Up: g.param(ints("up", s.n*s.r), s.n, s.r),
					UpBias: g.param(ints("up bias", s.n), s.n), Scale: 0.5}))
		}},
		{"linear_gelu" + suffix, []string{"linear_gelu" + suffix, "quantize"}, float, func(g *graph, s size) {
			y, _ := g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(scheme, s.n, s.k, quant.PerToken), false)
			g.read(y)
		}},
		{"linear_gelu_train" + suffix, []string{"linear_gelu_train" + suffix, "quantize"}, float, func(g *graph, s size) {
			g.read2(g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(scheme, s.n, s.k, quant.PerToken), true))
		}},
		{"linear_gelu_round" + suffix, []string{"linear_gelu_round" + suffix, "linear" + suffix, "quantize"}, flips, func(g *graph, s size) {
			y, _ := g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(scheme, 128, s.k, quant.PerToken), false)
			g.read(g.Linear(y, g.int8s(scheme, s.n, 128, quant.ActivationBlock)))
		}},
		{"linear_gelu_train_round" + suffix, []string{"linear_gelu_train_round" + suffix, "linear" + suffix, "quantize"}, flips, func(g *graph, s size) {
			y, derivative := g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(scheme, 128, s.k, quant.PerToken), true)
			g.read(g.Linear(y, g.int8s(scheme, s.n, 128, quant.ActivationBlock)), derivative)
		}},
	}
}

// int4Cases are layers of int4 weights in groups of other sizes: modules are the same, constants are not.
var int4Cases = []Case{groupCase(quant.Q4G32, 0), groupCase(quant.Q4G128, 0), groupCase(quant.Q4G32, quant.PerToken), groupCase(quant.Q4G128, quant.PerToken)}

func groupCase(scheme quant.Scheme, block int) Case {
	name, kernels := "linear_"+string(scheme), []string{"linear_q4g"}
	if block > 0 {
		name, kernels = name+"a8", []string{"linear_q4ga8", "quantize"}
	}
	return Case{name, kernels, 0, func(g *graph, s size) {
		g.read(g.Linear(g.rounded(s.m, s.k, 1), g.int8s(scheme, s.n, s.k, block)))
	}}
}

// otherInt8 are what rounds or takes int8 besides.
var otherInt8 = []Case{
	{"layernorm_round", []string{"layernorm_round", "linear_q8ca8"}, flips, func(g *graph, s size) {
		y, _ := g.LayerNorm(g.input(normal("x", s.m*s.n), s.m, s.n), g.norm(s.n))
		g.read(g.Linear(y, g.int8s(quant.Q8C, s.n, s.n, quant.PerToken)))
	}},
	{"attention_round", []string{"attention_round", "linear_q8ca8"}, flips, func(g *graph, s size) {
		h, d := backend.Heads{Batch: 2, Tokens: s.m, Count: 2}, 2*quant.ActivationBlock
		o, _ := g.Attention(g.input(normal("qkv", h.Batch*h.Tokens*3*d), h.Batch*h.Tokens, 3*d), h)
		g.read(g.Linear(o, g.int8s(quant.Q8C, s.n, d, quant.ActivationBlock)))
	}},
	{"linear_bwd_x_q8ca8", []string{"linear_bwd_x_q8ca8", "quantize_bwd_x"}, 0, func(g *graph, s size) {
		g.read(g.LinearBackward(g.gradient(s.m, s.n), g.int8s(quant.Q8C, s.n, s.k, quant.ActivationBlock), backend.None))
	}},
	{"linear_bwd_x_gelu_q8ca8", []string{"linear_bwd_x_gelu_q8ca8", "quantize_bwd_x"}, 0, func(g *graph, s size) {
		g.read(g.LinearBackward(g.gradient(s.m, s.n), g.int8s(quant.Q8C, s.n, s.k, quant.ActivationBlock), g.input(ints("gelu'", s.m*s.k), s.m, s.k)))
	}},
}

// int8s is frozen over activations and gradients in blocks.
func (g *graph) int8s(scheme quant.Scheme, n, k, block int) backend.Frozen {
	f := g.frozen(scheme, n, k)
	f.Block, f.GradBlock = block, block
	return f
}

// rounded is an input of integers times a power of two whose blocks all reach 127: rounding to int8 changes nothing.
func (g *graph) rounded(m, k int, power float32) backend.Value {
	x := ints("x", m*k)
	for i := range x {
		if i%k%quant.ActivationBlock == 0 {
			x[i] = 127
		}
		x[i] *= power
	}
	return g.input(x, m, k)
}

// gradient is the same, before the scales of frozen's rows go in.
func (g *graph) gradient(m, n int) backend.Value {
	x := ints("dy", m*n)
	for i := range x {
		if i%n%quant.ActivationBlock == 0 {
			x[i] = 127
		}
		x[i] *= 4 / float32(int(1)<<(i%n%4))
	}
	return g.input(x, m, n)
}
