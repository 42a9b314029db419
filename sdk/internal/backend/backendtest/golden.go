package backendtest

import (
	"embed"
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/golden"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

//go:embed testdata/*.safetensors
var testdata embed.FS

// storedError is how far PyTorch's float32 numbers are from exact ones; measured below 4e-6 of a tensor's maximum.
const storedError = 5e-6

// pytorch is one device held to golden numbers.
type pytorch struct {
	suite
	golden.File
}

func testGolden(t *testing.T, s suite) {
	ops := func(test func(p pytorch, t *testing.T)) func(t *testing.T) {
		return func(t *testing.T) { test(pytorch{s, golden.Open(t, testdata, "testdata/ops.safetensors")}, t) }
	}
	for _, eps := range []float32{1e-5, 1e-6, 1e-12} {
		t.Run(fmt.Sprint("layernorm ", eps), ops(func(p pytorch, t *testing.T) { p.layerNorm(t, eps) }))
	}
	t.Run("gelu", ops(pytorch.gelu))
	t.Run("softmax", ops(pytorch.softmax))
	t.Run("attention", ops(pytorch.attention))
	t.Run("batchnorm", ops(pytorch.batchNorm))
	t.Run("loss", ops(pytorch.loss))
	for _, scale := range []float32{0.1, 4} {
		t.Run(fmt.Sprintf("adaptmlp %.1f", scale), func(t *testing.T) {
			p := pytorch{s, golden.Open(t, testdata, "testdata/adaptmlp.safetensors")}
			p.adaptMLP(t, fmt.Sprintf("b16.none.%.1f.", scale), scale)
		})
	}
}

// given is an input with a golden tensor's data, flattened to rows.
func (p pytorch) given(g *graph, name string) backend.Value {
	x := flat(p.Floats(name))
	return g.input(name, x.Data, x.Shape...)
}

// resident is a golden tensor as a parameter.
func (p pytorch) resident(g *graph, name string) backend.Value {
	x := p.Floats(name)
	return g.Param(name, g.buffer(name, x.Data), 0, x.Shape...)
}

// flat joins all axes but the last: [B, T, D] to [B T, D].
func flat(x tensor.Tensor) tensor.Tensor {
	if n := len(x.Shape); n > 2 {
		last := x.Shape[n-1]
		x.Shape = tensor.Shape{x.Shape.Elems() / last, last}
	}
	return x
}

// holds runs a case and compares each result that has a golden tensor of the name prefix + result.
func (p pytorch) holds(t *testing.T, prefix string, names []string, build func(g *graph)) results {
	t.Helper()
	r := run(t, p.be, 0, build)
	for _, name := range names {
		want := flat(p.Floats(prefix + name))
		golden.RelMax(r.tensors[name].Data, want).Check(t, prefix+name, float64(p.tol)+storedError)
	}
	return r
}

func (p pytorch) layerNorm(t *testing.T, eps float32) {
	k := fmt.Sprintf("layernorm_%.0e.", eps)
	record := func(eps float32) func(g *graph) {
		return func(g *graph) {
			x := p.given(g, k+"x")
			n := backend.Norm{Gamma: g.buffer("w", p.Floats(k+"w").Data), Beta: g.buffer("b", p.Floats(k+"b").Data), Eps: eps}
			y, stats := g.LayerNorm(x, n)
			g.read("y", y)
			g.read("dx", g.LayerNormBackward(x, n, stats, p.given(g, k+"dy"), backend.None))
		}
	}
	p.holds(t, k, []string{"y", "dx"}, record(eps))
	r := run(t, p.be, 0, record(2*eps))
	if w := golden.RelMax(r.tensors["dx"].Data, flat(p.Floats(k+"dx"))); eps > 1e-9 && w.Error < 1e-3 {
		t.Errorf("twice the eps changes nothing: %v", w)
	}
}

// gelu is an identity layer with the GELU epilogue: 257 rows of one channel.
func (p pytorch) gelu(t *testing.T) {
	p.holds(t, "gelu.", []string{"y", "dx"}, func(g *graph) {
		x := p.Floats("gelu.x")
		n := len(x.Data)
		f := g.layer(quant.F32, []float32{1}, []float32{0}, 1)
		y, derivative := g.LinearGELU(g.input("x", x.Data, n, 1), f, true)
		g.read("y", y)
		g.read("dx", g.LinearBackward(g.input("dy", affine(make([]float32, n), 0, 1), n, 1), f, derivative))
	})
}

// softmax puts the golden logits into the scores of an attention: k = 8 I of dimension 64, so that q k / sqrt(64) = q.
func (p pytorch) softmax(t *testing.T) {
	const tokens, dim = 33, 64
	x, want := flat(p.Floats("softmax.x")), flat(p.Floats("softmax.y"))
	qkv := make([]float32, tokens*3*dim)
	for i := range tokens {
		qkv[i*3*dim+dim+i] = 8
		if i < x.Shape[0] {
			copy(qkv[i*3*dim:], x.Data[i*tokens:(i+1)*tokens])
		}
	}
	h := backend.Heads{Batch: 1, Tokens: tokens, Count: 1}
	r := run(t, p.be, 0, func(g *graph) {
		v := g.input("qkv", qkv, tokens, 3*dim)
		_, lse := g.Attention(v, h)
		g.read("probs", g.AttentionProbs(v, lse, h))
	})
	// Logits of 300 leave lse with a float32 spacing of 3e-5, and exp(S - lse) with that relative error.
	golden.Abs(r.tensors["probs"].Data[:len(want.Data)], want).Check(t, "probs", float64(p.tol)+4e-5)
}

func (p pytorch) attention(t *testing.T) {
	shape := p.Floats("attention.q").Shape // [B, heads, T, d]
	b, heads, tokens, d := shape[0], shape[1], shape[2], shape[3]
	// pack lays tensors [B, heads, T, d] side by side into rows [B T, count heads d].
	pack := func(names ...string) tensor.Tensor {
		out := tensor.New(b*tokens, len(names)*heads*d)
		for part, name := range names {
			x := p.Floats("attention." + name)
			for i, v := range x.Data {
				image, head, token, c := i/(heads*tokens*d), i/(tokens*d)%heads, i/d%tokens, i%d
				out.Data[(image*tokens+token)*out.Shape[1]+(part*heads+head)*d+c] = v
			}
		}
		return out
	}
	h := backend.Heads{Batch: b, Tokens: tokens, Count: heads}
	r := run(t, p.be, 0, func(g *graph) {
		qkv, dy := pack("q", "k", "v"), pack("dy")
		x := g.input("qkv", qkv.Data, qkv.Shape...)
		o, lse := g.Attention(x, h)
		g.read("y", o)
		g.read("dqkv", g.AttentionBackward(x, o, lse, g.input("dy", dy.Data, dy.Shape...), h))
	})
	bound := float64(p.tol) + storedError
	golden.RelMax(r.tensors["y"].Data, pack("y")).Check(t, "y", bound)
	golden.RelMax(r.tensors["dqkv"].Data, pack("dq", "dk", "dv")).Check(t, "dqkv", bound)
	if w := golden.RelMax(r.tensors["dqkv"].Data, pack("dq", "dv", "dk")); w.Error < 0.01 {
		t.Errorf("dk and dv cannot be told apart: %v", w)
	}
}

// batchNorm trains on two batches, whose running statistics carry over, and infers with what they leave.
func (p pytorch) batchNorm(t *testing.T) {
	f := p.Floats("batchnorm.0.x").Shape[1]
	mean, variance := make([]float32, f), affine(make([]float32, f), 0, 1)
	for _, k := range []string{"batchnorm.0.", "batchnorm.1."} {
		r := p.holds(t, k, []string{"y", "dx"}, func(g *graph) {
			s := backend.BatchStats{Mean: g.updated("running_mean", mean, f), Var: g.updated("running_var", variance, f), Eps: 1e-6, Momentum: 0.1}
			y, rstd := g.BatchNormTrain(p.given(g, k+"x"), s)
			g.read("y", y)
			g.read("dx", g.BatchNormBackward(y, rstd, p.given(g, k+"dy")))
		})
		own := func(name string) []float32 { return r.tensors[name].Data[backend.ParamAlign : backend.ParamAlign+f] }
		mean, variance = own("running_mean"), own("running_var")
		golden.RelMax(mean, p.Floats(k+"running_mean")).Check(t, k+"running_mean", float64(p.tol)+storedError)
		golden.RelMax(variance, p.Floats(k+"running_var")).Check(t, k+"running_var", float64(p.tol)+storedError)
	}
	p.holds(t, "batchnorm.eval.", []string{"y"}, func(g *graph) {
		view := func(name string, x []float32) backend.Value { return g.Param(name, g.buffer(name, x), 0, f) }
		s := backend.BatchStats{Mean: view("mean", mean), Var: view("variance", variance), Eps: 1e-6}
		g.read("y", g.BatchNorm(p.given(g, "batchnorm.eval.x"), s))
	})
}

func (p pytorch) loss(t *testing.T) {
	shape := p.Floats("loss.logits").Shape
	b, c := shape[0], shape[1]
	ce := p.holds(t, "ce.", []string{"dlogits"}, func(g *graph) {
		loss, dz := g.CrossEntropy(p.given(g, "loss.logits"), g.inputInts("target", p.Ints("loss.target")...), 1/float32(b), 0)
		g.read("loss", loss)
		g.read("dlogits", dz)
	})
	bce := p.holds(t, "bce.", []string{"dlogits"}, func(g *graph) {
		loss, dz := g.BinaryCrossEntropy(p.given(g, "loss.logits"), p.given(g, "loss.target_multi"), 1/float32(b*c))
		g.read("loss", loss)
		g.read("dlogits", dz)
	})
	for name, r := range map[string]results{"ce.loss": ce, "bce.loss": bce} {
		var sum float64
		for _, l := range r.tensors["loss"].Data {
			sum += float64(l)
		}
		golden.RelMax([]float32{float32(sum)}, p.Floats(name)).Check(t, name, float64(p.tol)+storedError)
	}
}

// adaptMLP is the bare branch: its fused second half runs on a frozen layer of zeros.
func (p pytorch) adaptMLP(t *testing.T, k string, scale float32) {
	x := flat(p.Floats(k + "x"))
	m, d := x.Shape[0], x.Shape[1]
	r := len(p.Floats(k + "param.down_proj.bias").Data)
	param := func(g *graph, name string) backend.Value { return p.resident(g, k+"param."+name) }
	finish := func(g *graph, hidden backend.Value) backend.Value {
		zero := g.input("zero", make([]float32, m*d), m, d)
		return g.LinearResidualAdapter(zero, g.layer(quant.F32, make([]float32, d*d), make([]float32, d), d), zero,
			backend.Branch{Hidden: hidden, Up: param(g, "up_proj.weight"), UpBias: param(g, "up_proj.bias"), Scale: scale})
	}
	first := func(s float32) func(g *graph) {
		return func(g *graph) {
			x, dy := p.given(g, k+"x"), p.given(g, k+"dy")
			down, up := param(g, "down_proj.weight"), param(g, "up_proj.weight")
			h := g.AdaptDown(x, down, param(g, "down_proj.bias"), backend.Dropout{})
			g.read("hidden", h)
			g.read("y", finish(g, h))
			dh := g.AdaptDownBackward(dy, up, h, s)
			g.read("dx", g.MatMul(dh, down, backend.None))
			g.WeightGrad(dy, h, g.gradient("up_proj.weight", d, r), s)
			g.BiasGrad(dy, g.gradient("up_proj.bias", d), s)
			g.WeightGrad(dh, x, g.gradient("down_proj.weight", r, d), 1)
			g.BiasGrad(dh, g.gradient("down_proj.bias", r), 1)
		}
	}
	res := p.holds(t, k, []string{"y", "dx"}, first(scale))
	for _, name := range []string{"up_proj.weight", "up_proj.bias", "down_proj.weight", "down_proj.bias"} {
		want := p.Floats(k + "grad." + name)
		got := res.tensors[name].Data[backend.ParamAlign : backend.ParamAlign+len(want.Data)]
		golden.RelMax(got, want).Check(t, name, float64(p.tol)+storedError)
	}
	masked := res.tensors["hidden"]
	for i, keep := range p.Floats(k + "mask").Data {
		masked.Data[i] *= keep / (1 - 0.1)
	}
	p.holds(t, k, []string{"y_masked"}, func(g *graph) {
		g.read("y_masked", finish(g, g.input("hidden", masked.Data, m, r)))
	})
}
