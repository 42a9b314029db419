package selftest

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/window"
)

// float is the tolerance of cases with roots, exponentials and divisions, which drivers may round to a few units: the least
// fault of a kernel that we know of gives a hundred times as much.
const float = 1e-4

// Cases are all there are. A test holds them to the table of shaders: every kernel of it is run by one of them.
func Cases() []Case {
	var cases []Case
	for _, scheme := range []quant.Scheme{quant.Q8C, quant.Q4G, quant.F16, quant.F32} {
		cases = append(cases, linearCases(scheme)...)
	}
	for _, scheme := range []quant.Scheme{quant.Q8C, quant.Q4G} {
		cases = append(cases, int8Cases(scheme)...)
	}
	cases = append(cases, int4Cases...)
	cases = append(cases, otherInt8...)
	cases = append(cases, products...)
	cases = append(cases, normsAndAttention...)
	cases = append(cases, halves...)
	cases = append(cases, images...)
	cases = append(cases, training...)
	for _, half := range []bool{false, true} {
		cases = append(cases, mixedCases(half)...)
	}
	return cases
}

// linearCases are the frozen layers of a scheme.
func linearCases(scheme quant.Scheme) []Case {
	suffix := "_" + string(scheme)
	x := func(g *graph, s size) backend.Value { return g.input(ints("x", s.m*s.k), s.m, s.k) }
	dy := func(g *graph, s size) backend.Value { return g.input(ints("dy", s.m*s.n), s.m, s.n) }
	return []Case{
		{"linear" + suffix, []string{"linear" + suffix}, 0, func(g *graph, s size) {
			x := x(g, s)
			g.read(g.Linear(x, g.frozen(scheme, s.n, s.k)), g.halfLinear(x, g.frozen(scheme, s.n&^3, s.k)))
		}},
		{"linear_residual" + suffix, []string{"linear_residual" + suffix}, 0, func(g *graph, s size) {
			g.read(g.LinearResidual(x(g, s), g.frozen(scheme, s.n, s.k), g.input(ints("residual", s.m*s.n), s.m, s.n)))
		}},
		{"linear_residual_adapter" + suffix, []string{"linear_residual_adapter" + suffix}, 0, func(g *graph, s size) {
			g.read(g.LinearResidualAdapter(x(g, s), g.frozen(scheme, s.n, s.k), g.input(ints("residual", s.m*s.n), s.m, s.n),
				backend.Branch{Hidden: g.input(ints("hidden", s.m*s.r), s.m, s.r), Up: g.param(ints("up", s.n*s.r), s.n, s.r),
					UpBias: g.param(ints("up bias", s.n), s.n), Scale: 0.5}))
		}},
		{"linear_gelu" + suffix, []string{"linear_gelu" + suffix}, float, func(g *graph, s size) {
			y, _ := g.LinearGELU(g.input(small("x", s.m*s.k), s.m, s.k), g.frozen(scheme, s.n, s.k), false)
			g.read(y)
		}},
		{"linear_gelu_train" + suffix, []string{"linear_gelu_train" + suffix}, float, func(g *graph, s size) {
			g.read2(g.LinearGELU(g.input(small("x", s.m*s.k), s.m, s.k), g.frozen(scheme, s.n, s.k), true))
		}},
		{"linear_bwd_x" + suffix, []string{"linear_bwd_x" + suffix}, 0, func(g *graph, s size) {
			g.read(g.LinearBackward(dy(g, s), g.frozen(scheme, s.n, s.k), backend.None))
		}},
		{"linear_bwd_x_gelu" + suffix, []string{"linear_bwd_x_gelu" + suffix}, 0, func(g *graph, s size) {
			g.read(g.LinearBackward(dy(g, s), g.frozen(scheme, s.n, s.k), g.input(ints("gelu'", s.m*s.k), s.m, s.k)))
		}},
	}
}

// small makes numbers whose products with a frozen layer are of the size of 1.
func small(name string, n int) []float32 {
	x := normal(name, n)
	for i := range x {
		x[i] /= 512
	}
	return x
}

// read2 is read for operators with two results.
func (g *graph) read2(a, b backend.Value) { g.read(a, b) }

// products are the float matrix products of adapters and heads.
var products = []Case{
	{"affine", []string{"affine"}, 0, func(g *graph, s size) {
		g.read(g.Affine(g.input(ints("x", s.m*s.k), s.m, s.k), g.param(ints("w", s.n*s.k), s.n, s.k), g.param(ints("b", s.n), s.n)))
	}},
	{"adaptdown", []string{"adaptdown"}, 0, func(g *graph, s size) { adaptDown(g, s, backend.Dropout{}) }},
	{"adaptdown_dropout", []string{"adaptdown_dropout"}, 0, func(g *graph, s size) {
		adaptDown(g, s, backend.Dropout{P: 0.5, Key: g.inputInts([]int32{5}, 1), Stream: 3})
	}},
	{"adaptdown_bwd_x", []string{"adaptdown_bwd_x"}, 0, func(g *graph, s size) {
		m := manyRows(s)
		h := ints("h", m*s.r)
		for i, v := range h {
			h[i] = max(v, 0)
		}
		g.read(g.AdaptDownBackward(g.input(ints("g", m*s.n), m, s.n), g.param(ints("up", s.n*s.r), s.n, s.r), g.input(h, m, s.r), 0.5))
	}},
	{"matmul", []string{"matmul"}, 0, func(g *graph, s size) { matMul(g, s, backend.None) }},
	{"matmul_base", []string{"matmul_base", "scale"}, 0, func(g *graph, s size) {
		matMul(g, s, g.Scale(g.input(ints("base", s.m*s.k), s.m, s.k), 1))
	}},
	{"weightgrad", []string{"weightgrad", "reduce"}, 0, func(g *graph, s size) {
		m := manyRows(s)
		g.WeightGrad(g.input(ints("dy", m*s.n), m, s.n), g.input(ints("x", m*s.r), m, s.r), g.updated(ints("dw", s.n*s.r), s.n, s.r), 0.5)
	}},
	{"biasgrad", []string{"biasgrad", "reduce"}, 0, func(g *graph, s size) {
		m := manyRows(s)
		g.BiasGrad(g.input(ints("dy", m*s.n), m, s.n), g.updated(ints("db", s.n), s.n), 0.5)
	}},
	{"add", []string{"add"}, 0, func(g *graph, s size) {
		g.read(g.Add(g.input(ints("a", s.m*s.n), s.m, s.n), g.input(ints("b", s.m*s.n), s.m, s.n)))
	}},
	{"scale", []string{"scale"}, 0, func(g *graph, s size) { g.read(g.Scale(g.input(ints("x", s.m*s.n), s.m, s.n), -0.5)) }},
	{"scaleby", []string{"scaleby"}, 0, func(g *graph, s size) {
		g.ScaleInPlace(g.updated(ints("x", s.m*s.n), s.m, s.n), g.param([]float32{-3}, 1))
	}},
}

// manyRows are several slices of a sum over rows, and several groups of threads where rows are short.
func manyRows(s size) int { return 4*s.m + 1 }

func adaptDown(g *graph, s size, d backend.Dropout) {
	m := manyRows(s)
	g.read(g.AdaptDown(g.input(ints("x", m*s.k), m, s.k), g.param(ints("down", s.r*s.k), s.r, s.k), g.param(ints("bias", s.r), s.r), d))
}

func matMul(g *graph, s size, base backend.Value) {
	g.read(g.MatMul(g.input(ints("a", s.m*s.n), s.m, s.n), g.param(ints("b", s.n*s.k), s.n, s.k), base))
}

// attentionOf are the heads of a case: two of whole vectors, or of 5.
func attentionOf(g *graph, s size) (backend.Heads, backend.Value, int) {
	h, d := backend.Heads{Batch: 2, Tokens: 37, Count: 2}, 2*32
	if s == sizes[Odd] {
		d = 2 * 5
	}
	return h, g.input(normal("qkv", h.Batch*h.Tokens*3*d), h.Batch*h.Tokens, 3*d), d
}

// windowsOf are shifted windows of a grid that they do not divide.
func windowsOf() backend.Windows {
	return backend.Windows{Batch: 2, Count: 2, Layout: window.Layout{Rows: window.NewAxis(9, 4, 4, true), Columns: window.NewAxis(10, 4, 4, true)}}
}

// windowOperands are what an attention within windows reads: two heads of whole vectors, or of 5.
func windowOperands(g *graph, s size) (w backend.Windows, qkv, pad, table backend.Value, d int) {
	w, d = windowsOf(), 2*16
	if s == sizes[Odd] {
		d = 2 * 5
	}
	m := w.Batch * w.Tokens()
	return w, g.input(normal("qkv", m*3*d), m, 3*d), g.param(normal("pad", 3*d), 3*d), g.param(normal("table", w.Entries()*2), w.Entries(), 2), d
}

var normsAndAttention = []Case{
	{"layernorm", []string{"layernorm"}, float, func(g *graph, s size) {
		y, stats := g.LayerNorm(g.input(normal("x", s.m*s.n), s.m, s.n), g.norm(s.n))
		g.read(y, stats.Mean, stats.Rstd)
	}},
	{"layernorm_bwd_x", []string{"layernorm", "layernorm_bwd_x"}, float, func(g *graph, s size) { layerNormBackward(g, s, false) }},
	{"layernorm_bwd_x_base", []string{"layernorm", "layernorm_bwd_x_base", "scale"}, float, func(g *graph, s size) { layerNormBackward(g, s, true) }},
	{"gaingrad", []string{"layernorm", "gaingrad", "biasgrad", "reduce"}, float, func(g *graph, s size) {
		x := g.input(normal("x", s.m*s.n), s.m, s.n)
		_, stats := g.LayerNorm(x, g.norm(s.n))
		g.LayerNormGrad(x, stats, g.input(normal("dy", s.m*s.n), s.m, s.n), g.updated(normal("dgamma", s.n), s.n), g.updated(normal("dbeta", s.n), s.n))
	}},
	{"attention", []string{"attention", "attention_scores", "attention_softmax", "attention_values"}, float, func(g *graph, s size) {
		h, qkv, _ := attentionOf(g, s)
		g.read2(g.Attention(qkv, h))
	}},
	{"attentionprobs", []string{"attention", "attentionprobs", "attention_scores", "attention_softmax", "attention_values"}, float, func(g *graph, s size) {
		h, qkv, _ := attentionOf(g, s)
		_, lse := g.Attention(qkv, h)
		g.read(g.AttentionProbs(qkv, lse, h))
	}},
	{"attention_bwd_x", []string{"attention", "attention_delta", "attention_bwd_dq", "attention_bwd_dk", "attention_bwd_dv",
		"attention_scores", "attention_softmax", "attention_values", "attention_grad", "attention_dq", "attention_dk", "attention_dv"}, float, func(g *graph, s size) {
		h, qkv, d := attentionOf(g, s)
		o, lse := g.Attention(qkv, h)
		g.read(g.AttentionBackward(qkv, o, lse, g.input(normal("do", h.Batch*h.Tokens*d), h.Batch*h.Tokens, d), h))
	}},
	{"windowattention", []string{"windowattention", "windowprobs",
		"windowattention_scores", "windowattention_softmax", "windowattention_values"}, float, func(g *graph, s size) {
		w, qkv, pad, table, _ := windowOperands(g, s)
		g.read2(g.WindowAttention(qkv, pad, table, w))
		g.read(g.WindowProbs(qkv, pad, table, w))
	}},
	{"windowattention_bwd_x", []string{"windowattention", "attention_delta", "windowattention_bwd_dq", "windowattention_bwd_dk", "windowattention_bwd_dv",
		"windowattention_scores", "windowattention_softmax", "windowattention_values", "windowattention_grad", "windowattention_dq", "windowattention_dk", "windowattention_dv"}, float, func(g *graph, s size) {
		w, qkv, pad, table, d := windowOperands(g, s)
		o, lse := g.WindowAttention(qkv, pad, table, w)
		g.read(g.WindowAttentionBackward(qkv, pad, table, o, lse, g.input(normal("do", w.Batch*w.Tokens()*d), w.Batch*w.Tokens(), d), w))
	}},
}

func layerNormBackward(g *graph, s size, onBase bool) {
	x, n, base := g.input(normal("x", s.m*s.n), s.m, s.n), g.norm(s.n), backend.None
	_, stats := g.LayerNorm(x, n)
	if onBase {
		base = g.Scale(g.input(normal("base", s.m*s.n), s.m, s.n), 1)
	}
	g.read(g.LayerNormBackward(x, n, stats, g.input(normal("dy", s.m*s.n), s.m, s.n), base))
}

// images are what enters and leaves a network.
var images = []Case{
	{"patchembed", []string{"patchembed", "patchembed_tokens"}, 0, func(g *graph, s size) {
		const rows, columns, patch = 7, 9, 4
		d, k := s.n, 3*patch*patch
		g.read(g.PatchEmbed(g.input(ints("image", 2*3*rows*columns*patch*patch), 2, 3, rows*patch, columns*patch), g.param(ints("weight", d*k), d, k),
			g.param(ints("bias", d), d), g.param(ints("prefix", d), 1, d), g.param(ints("pos", rows*columns*d), rows*columns, d), patch))
	}},
	{"patchmerge", []string{"patchmerge_gather", "layernorm"}, float, func(g *graph, s size) {
		grid := backend.Grid{Batch: 2, Rows: 5, Columns: 6}
		y, stats := g.PatchMerge(g.input(normal("x", grid.Tokens()*s.r), grid.Tokens(), s.r), g.norm(4*s.r), grid)
		g.read(y, stats.Mean, stats.Rstd)
	}},
	{"patchmerge_bwd_x", []string{"patchmerge_gather", "layernorm", "layernorm_bwd_x", "patchmerge_scatter"}, float, func(g *graph, s size) {
		grid := backend.Grid{Batch: 2, Rows: 5, Columns: 6}
		x, n := g.input(normal("x", grid.Tokens()*s.r), grid.Tokens(), s.r), g.norm(4*s.r)
		_, stats := g.PatchMerge(x, n, grid)
		m := grid.Merged().Tokens()
		g.read(g.PatchMergeBackward(x, n, stats, g.input(normal("dy", m*4*s.r), m, 4*s.r), grid))
	}},
	{"pool", []string{"pool"}, 0, func(g *graph, s size) {
		g.read(g.Pool(g.input(ints("x", 2*17*s.n), 2*17, s.n), backend.PoolCLSMean, 2, 1)) // the mean of 16 is exact
	}},
	{"pool_bwd_x", []string{"pool_bwd_x"}, 0, func(g *graph, s size) {
		like := g.input(ints("x", 2*17*s.n), 2*17, s.n)
		g.read(g.PoolBackward(g.input(ints("dy", 2*2*s.n), 2, 2*s.n), like, backend.PoolCLSMean, 2, 1))
	}},
	{"batchnorm", []string{"batchnorm"}, float, func(g *graph, s size) {
		g.read(g.BatchNorm(g.input(normal("x", s.m*s.n), s.m, s.n),
			backend.BatchStats{Mean: g.param(normal("mean", s.n), s.n), Var: g.param(positive("variance", s.n), s.n), Eps: 1e-5}))
	}},
}

// training are losses and what updates parameters.
var training = []Case{
	{"batchnorm_train", []string{"batchnorm_train", "batchnorm_bwd_x"}, float, func(g *graph, s size) {
		y, rstd := g.BatchNormTrain(g.input(normal("x", s.m*s.n), s.m, s.n), backend.BatchStats{Mean: g.updated(normal("mean", s.n), s.n),
			Var: g.updated(positive("variance", s.n), s.n), Eps: 1e-5, Momentum: 0.1})
		g.read(y, rstd, g.BatchNormBackward(y, rstd, g.input(normal("dy", s.m*s.n), s.m, s.n)))
	}},
	{"crossentropy", []string{"crossentropy"}, float, func(g *graph, s size) {
		target := make([]int32, s.m)
		for i := range target {
			target[i] = int32(i * 5 % s.n)
		}
		g.read2(g.CrossEntropy(g.input(normal("z", s.m*s.n), s.m, s.n), g.inputInts(target, s.m), 0.25, 0.1))
	}},
	{"binarycrossentropy", []string{"binarycrossentropy"}, float, func(g *graph, s size) {
		target := make([]float32, s.m*s.n)
		for i := range target {
			target[i] = float32(i * 7 / 3 % 2)
		}
		g.read2(g.BinaryCrossEntropy(g.input(normal("z", s.m*s.n), s.m, s.n), g.input(target, s.m, s.n), 0.25))
	}},
	{"clipnorm", []string{"clipnorm_squares", "reduce", "clipnorm"}, float, func(g *graph, s size) {
		g.ClipNorm(g.updated(normal("x", 67*s.m), 67*s.m), 0.25)
	}},
	{"sgd", []string{"sgd"}, float, func(g *graph, s size) {
		n := s.m * s.n
		g.SGD(g.updated(normal("param", n), n), g.input(normal("grad", n), n), g.updated(normal("velocity", n), n), g.input([]float32{0.05}, 1), 0.9, 0.01)
	}},
	{"adamw", []string{"adamw"}, float, func(g *graph, s size) {
		n := s.m * s.n
		g.AdamW(g.updated(normal("param", n), n), g.input(normal("grad", n), n), g.updated(normal("m", n), n), g.updated(positive("v", n), n),
			g.input([]float32{0.01, 0.271, 0.003}, 3), backend.AdamWConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-3, WeightDecay: 0.05})
	}},
	{"swiglu", []string{"swiglu"}, float, func(g *graph, s size) { g.read(g.SwiGLU(g.input(normal("x", 2*s.m*s.n), s.m, 2*s.n))) }},
	{"swiglu_bwd_x", []string{"swiglu_bwd_x"}, float, func(g *graph, s size) {
		g.read(g.SwiGLUBackward(g.input(normal("x", 2*s.m*s.n), s.m, 2*s.n), g.input(normal("dy", s.m*s.n), s.m, s.n)))
	}},
}

// mixedCases are the operators of a batch of several tasks, with the arena as float32 or float16.
func mixedCases(half bool) []Case {
	suffix := ""
	if half {
		suffix = "_half"
	}
	branch := func(norms bool, tolerance float64, options int32, kernels ...string) Case {
		name := "mixed_branch" + suffix
		if norms {
			name = "mixed_norms" + suffix
		}
		return Case{name, suffixed(kernels, suffix), tolerance, func(g *graph, s size) {
			const batch, tokens, bottleneck = 3, 67, 8
			m := g.mixed(batch, s.n, bottleneck, half, options)
			x := g.Scale(g.input(ints("x", batch*tokens*s.n), batch*tokens, s.n), 1)
			o := backend.MixedAdapter{Mixed: m, Batch: batch, Block: 0, Bottleneck: bottleneck, Norms: norms, NormEps: 1e-5}
			g.MixedAdapter(x, x, o)
			g.read(x)
		}}
	}
	return []Case{
		branch(false, 0, 0, "mixed_down", "mixed_up"),
		branch(true, float, backend.MixNormIn, "mixed_norm", "mixed_down", "mixed_up", "mixed_up_apart", "mixed_norm_out"),
		{"mixed_head" + suffix, suffixed([]string{"mixed_features", "mixed_head"}, suffix), float, func(g *graph, s size) {
			const batch = 23
			m := g.mixed(batch, s.n, 8, half, 0)
			f, z := g.MixedFeatures(g.input(normal("normed", batch*2*s.n), batch, 2*s.n), g.input(normal("mean", batch*s.n), batch, s.n), m, 1e-5, 1e-5)
			g.read(f, z, g.MixedHead(z, m, mixedClasses))
		}},
	}
}

func suffixed(names []string, suffix string) (out []string) {
	for _, n := range names {
		out = append(out, n+suffix)
	}
	if names[0] != "mixed_features" {
		out = append(out, "scale")
	}
	return out
}

const mixedClasses = 12

// mixed makes an arena with one task of a branch in block 0, a head and norms, which the first and last of n images have.
func (g *graph) mixed(n, d, r int, half bool, options int32) backend.Mixed {
	var arena []float32
	part := func(x []float32) int32 {
		at := len(arena)
		arena = append(append(arena, x...), make([]float32, backend.AlignParam(len(x))-len(x))...)
		return int32(at)
	}
	part(ints("before", 70))
	row := make([]int32, backend.MixBranch(1))
	row[backend.MixPool], row[backend.MixClasses], row[backend.MixOptions] = int32(backend.PoolMean), mixedClasses-3, options
	row[backend.MixScale] = bits(0.5)
	row[backend.MixBranch(0)], row[backend.MixBranch(0)+1] = part(ints("down", r*d)), int32(r)
	for _, x := range [][]float32{ints("bias", r), ints("up", d*r), ints("up bias", d), ints("branch gamma", d), ints("branch beta", d)} {
		part(x)
	}
	row[backend.MixNorm] = part(ints("gamma", d))
	part(ints("beta", d))
	row[backend.MixStats] = part(ints("mean", d))
	part(positive("variance", d))
	row[backend.MixHead] = part(ints("head", (mixedClasses-3)*d))
	part(ints("head bias", mixedClasses-3))
	none := make([]int32, len(row))
	for i := range none {
		none[i] = -1
	}
	none[backend.MixPool], none[backend.MixClasses], none[backend.MixOptions], none[backend.MixScale] = int32(backend.PoolMean), 0, 0, 0
	var mix []int32
	for i := range n {
		if i == 0 || i == n-1 {
			mix = append(mix, row...)
		} else {
			mix = append(mix, none...)
		}
	}
	return backend.Mixed{Mix: g.inputInts(mix, n, len(row)), Arena: g.Param("arena", g.hold(arena, half, false), 0, len(arena))}
}
