package selftest

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// flips is the tolerance where a device rounds to int8 what it computed in float32: at the middle between two integers
// its neighbour may win, which moves a value by 1/127 of its block's largest.
const flips = 2e-2

// int8Cases are the frozen layers over int8 activations and gradients.
var int8Cases = []Case{
	{"linear_q8ca8", []string{"linear_q8ca8", "quantize"}, 0, func(g *graph, s size) {
		g.read(g.Linear(g.rounded(s.m, s.k, 1), g.int8s(s.n, s.k, quant.PerToken)))
	}},
	{"linear_q8ca8 in blocks", []string{"linear_q8ca8", "quantize"}, 0, func(g *graph, s size) {
		g.read(g.Linear(g.rounded(s.m, s.k, 1), g.int8s(s.n, s.k, quant.ActivationBlock)))
	}},
	{"linear_residual_q8ca8", []string{"linear_residual_q8ca8", "quantize"}, 0, func(g *graph, s size) {
		g.read(g.LinearResidual(g.rounded(s.m, s.k, 1), g.int8s(s.n, s.k, quant.ActivationBlock), g.input(ints("residual", s.m*s.n), s.m, s.n)))
	}},
	{"linear_residual_adapter_q8ca8", []string{"linear_residual_adapter_q8ca8", "quantize"}, 0, func(g *graph, s size) {
		g.read(g.LinearResidualAdapter(g.rounded(s.m, s.k, 1), g.int8s(s.n, s.k, quant.ActivationBlock), g.input(ints("residual", s.m*s.n), s.m, s.n),
			backend.Branch{Hidden: g.input(ints("hidden", s.m*s.r), s.m, s.r), Up: g.param(ints("up", s.n*s.r), s.n, s.r),
				UpBias: g.param(ints("up bias", s.n), s.n), Scale: 0.5}))
	}},
	{"linear_gelu_q8ca8", []string{"linear_gelu_q8ca8", "quantize"}, float, func(g *graph, s size) {
		y, _ := g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(s.n, s.k, quant.PerToken), false)
		g.read(y)
	}},
	{"linear_gelu_train_q8ca8", []string{"linear_gelu_train_q8ca8", "quantize"}, float, func(g *graph, s size) {
		g.read2(g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(s.n, s.k, quant.PerToken), true))
	}},
	{"linear_gelu_round_q8ca8", []string{"linear_gelu_round_q8ca8", "linear_q8ca8", "quantize"}, flips, func(g *graph, s size) {
		y, _ := g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(128, s.k, quant.PerToken), false)
		g.read(g.Linear(y, g.int8s(s.n, 128, quant.ActivationBlock)))
	}},
	{"linear_gelu_train_round_q8ca8", []string{"linear_gelu_train_round_q8ca8", "linear_q8ca8", "quantize"}, flips, func(g *graph, s size) {
		y, derivative := g.LinearGELU(g.rounded(s.m, s.k, 0x1p-16), g.int8s(128, s.k, quant.PerToken), true)
		g.read(g.Linear(y, g.int8s(s.n, 128, quant.ActivationBlock)), derivative)
	}},
	{"layernorm_round", []string{"layernorm_round", "linear_q8ca8"}, flips, func(g *graph, s size) {
		y, _ := g.LayerNorm(g.input(normal("x", s.m*s.n), s.m, s.n), g.norm(s.n))
		g.read(g.Linear(y, g.int8s(s.n, s.n, quant.PerToken)))
	}},
	{"linear_bwd_x_q8ca8", []string{"linear_bwd_x_q8ca8", "quantize_bwd_x"}, 0, func(g *graph, s size) {
		g.read(g.LinearBackward(g.gradient(s.m, s.n), g.int8s(s.n, s.k, quant.ActivationBlock), backend.None))
	}},
	{"linear_bwd_x_gelu_q8ca8", []string{"linear_bwd_x_gelu_q8ca8", "quantize_bwd_x"}, 0, func(g *graph, s size) {
		g.read(g.LinearBackward(g.gradient(s.m, s.n), g.int8s(s.n, s.k, quant.ActivationBlock), g.input(ints("gelu'", s.m*s.k), s.m, s.k)))
	}},
}

// int8s is frozen in q8c over activations and gradients in blocks.
func (g *graph) int8s(n, k, block int) backend.Frozen {
	f := g.frozen(quant.Q8C, n, k)
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
