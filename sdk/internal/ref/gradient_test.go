package ref

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// gradientCase is a scalar loss of the numbers x, and the gradient at x that the operators claim.
type gradientCase struct {
	name string
	x    []float64
	loss func() float64 // of the present contents of x
	grad []float64
}

// worst is max|claimed - central difference| / max|central difference|.
func (c gradientCase) worst(claimed []float64) float64 {
	const h = 1e-5 // truncation h² and cancellation 1e-16/h both stay near 1e-10
	var top, scale float64
	for i, v := range c.x {
		c.x[i] = v + h
		up := c.loss()
		c.x[i] = v - h
		down := c.loss()
		c.x[i] = v
		d := (up - down) / (2 * h)
		top, scale = max(top, math.Abs(claimed[i]-d)), max(scale, math.Abs(d))
	}
	return top / scale
}

// TestGradients holds every backward operator to central differences of its forward operator. The controls are the
// same gradient one part in a thousand too large, and shifted by one element.
func TestGradients(t *testing.T) {
	const bound = 1e-8
	for _, c := range slices.Concat(normGradients(), linearGradients(), attentionGradients(), branchGradients(),
		poolGradients(), lossGradients(), swiGLUGradients(), windowGradients(), mergeGradients()) {
		t.Run(c.name, func(t *testing.T) {
			if e := c.worst(c.grad); !(e < bound) {
				t.Errorf("error %.3g, allowed %.3g", e, bound)
			}
			large := make([]float64, len(c.grad))
			for i, g := range c.grad {
				large[i] = 1.001 * g
			}
			if e := c.worst(large); e < 100*bound {
				t.Errorf("a gradient 0.1%% too large passes: error %.3g", e)
			}
			if e := c.worst(append(slices.Clone(c.grad[1:]), c.grad[0])); e < 1e-3 {
				t.Errorf("a shifted gradient passes: error %.3g", e)
			}
		})
	}
}

// random makes n normal numbers; the seed keeps every ReLU of this file further than h from its kink.
func random(seed uint64, n int) []float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// rows is a Weight of float32 values.
type rows struct {
	w []float32
	k int
}

func (r rows) DequantizeRow(dst []float32, i int) { copy(dst, row(r.w, i, r.k)) }

func frozen(seed uint64, n, k int) rows {
	w := rows{make([]float32, n*k), k}
	for i, v := range random(seed, n*k) {
		w.w[i] = float32(v)
	}
	return w
}

func normGradients() []gradientCase {
	const m, d, eps = 3, 7, 1e-2
	x, gamma, beta, dy, base := random(1, m*d), random(2, d), random(3, d), random(4, m*d), random(5, m*d)
	y, mean, rstd := make([]float64, m*d), make([]float64, m), make([]float64, m)
	layer := func() float64 {
		LayerNorm(y, mean, rstd, x, gamma, beta, eps, m, d)
		return dot(y, dy)
	}
	layer()
	dx, onto := make([]float64, m*d), slices.Clone(base)
	LayerNormBackward(dx, x, gamma, mean, rstd, dy, nil, m, d)
	LayerNormBackward(onto, x, gamma, mean, rstd, dy, onto, m, d)

	dgamma, dbeta := make([]float64, d), make([]float64, d)
	GainGrad(dgamma, x, mean, rstd, dy, m, d)
	BiasGrad(dbeta, dy, 1, m, d)

	z, running := random(6, m*d), make([]float64, d)
	norm, norm2, scale := make([]float64, m*d), make([]float64, m*d), make([]float64, d)
	batch := func() float64 {
		BatchNormTrain(norm2, scale, running, running, z, eps, 0, m, d)
		return dot(norm2, dy)
	}
	batch()
	copy(norm, norm2)
	dz := make([]float64, m*d)
	BatchNormBackward(dz, norm, scale, dy, m, d)
	return []gradientCase{
		{"layernorm", x, layer, dx},
		{"layernorm gain", gamma, layer, dgamma},
		{"layernorm bias", beta, layer, dbeta},
		{"layernorm onto base", x, func() float64 { return layer() + dot(x, base) }, onto},
		{"batchnorm", z, batch, dz},
	}
}

func linearGradients() []gradientCase {
	const m, n, k = 3, 5, 4
	w, zero := frozen(1, n, k), make([]float64, n)
	x, dy, y := random(2, m*k), random(3, m*n), make([]float64, m*n)
	plain := func() float64 {
		Linear(y, x, w, zero, m, n, k)
		return dot(y, dy)
	}
	dx := make([]float64, m*k)
	LinearBackward(dx, dy, w, nil, m, n, k)

	// The layer below is an identity with GELU, so that a is the sums that dgelu belongs to.
	identity := rows{make([]float32, k*k), k}
	for i := range k {
		identity.w[i*k+i] = 1
	}
	a, z, slope := random(4, m*k), make([]float64, m*k), make([]float64, m*k)
	gelu := func() float64 {
		LinearGELU(z, slope, a, identity, make([]float64, k), m, k, k)
		Linear(y, z, w, zero, m, n, k)
		return dot(y, dy)
	}
	gelu()
	da := make([]float64, m*k)
	LinearBackward(da, dy, w, slices.Clone(slope), m, n, k)

	v, b, u := random(5, n*k), random(6, n), random(7, m*k)
	trained := func() float64 {
		Affine(y, u, v, b, m, n, k)
		return dot(y, dy)
	}
	du, dv, db := make([]float64, m*k), make([]float64, n*k), make([]float64, n)
	MatMul(du, dy, v, nil, m, n, k)
	WeightGrad(dv, dy, u, 1, m, n, k)
	BiasGrad(db, dy, 1, m, n)
	return []gradientCase{
		{"linear", x, plain, dx},
		{"linear after gelu", a, gelu, da},
		{"affine input", u, trained, du},
		{"affine weight", v, trained, dv},
		{"affine bias", b, trained, db},
	}
}

func attentionGradients() []gradientCase {
	h := Heads{Batch: 2, Tokens: 5, Count: 2, Dim: 3}
	m, d := h.Batch*h.Tokens, h.Count*h.Dim
	qkv, do := random(1, m*3*d), random(2, m*d)
	o, lse := make([]float64, m*d), make([]float64, h.Batch*h.Count*h.Tokens)
	loss := func() float64 {
		Attention(o, lse, qkv, h)
		return dot(o, do)
	}
	loss()
	dqkv := make([]float64, m*3*d)
	AttentionBackward(dqkv, make([]float64, len(lse)), qkv, o, lse, do, h)
	return []gradientCase{{"attention", qkv, loss, dqkv}}
}

// branchGradients are those of AdaptMLP as the model composes them, with dropout, behind a frozen layer.
func branchGradients() []gradientCase {
	const m, d, r, scale = 6, 5, 4, 0.7
	drop := Dropout{P: 0.25, Key: 3, Stream: 2}
	x, down, bias := random(1, m*d), random(2, r*d), random(3, r)
	up, upBias, residual, g := random(4, d*r), random(5, d), random(6, m*d), random(7, m*d)
	w, zero := frozen(8, d, d), make([]float64, d)
	h, y := make([]float64, m*r), make([]float64, m*d)
	loss := func() float64 {
		AdaptDown(h, x, down, bias, drop, m, d, r)
		LinearResidualAdapter(y, residual, w, zero, residual, AdapterUp[float64]{h, up, upBias, scale, r}, m, d, d)
		return dot(y, g)
	}
	loss()
	h = slices.Clone(h)
	dh, dx := make([]float64, m*r), make([]float64, m*d)
	AdaptDownBackward(dh, g, up, h, scale/(1-float64(drop.P)), m, d, r)
	MatMul(dx, dh, down, nil, m, r, d)
	dUp, dUpBias, dDown, dBias := make([]float64, d*r), make([]float64, d), make([]float64, r*d), make([]float64, r)
	WeightGrad(dUp, g, h, scale, m, d, r)
	BiasGrad(dUpBias, g, scale, m, d)
	WeightGrad(dDown, dh, x, 1, m, r, d)
	BiasGrad(dBias, dh, 1, m, r)
	dResidual := make([]float64, m*d)
	LinearBackward(dResidual, g, w, nil, m, d, d)
	Add(dResidual, dResidual, g)
	return []gradientCase{
		{"branch input", x, loss, dx},
		{"branch down", down, loss, dDown},
		{"branch down bias", bias, loss, dBias},
		{"branch up", up, loss, dUp},
		{"branch up bias", upBias, loss, dUpBias},
		{"branch residual", residual, loss, dResidual},
	}
}

func poolGradients() []gradientCase {
	var cases []gradientCase
	for name, p := range map[string]Pooling{
		"pool cls":                 {CLS: true, Batch: 2, Tokens: 5, Prefix: 2, Dim: 3},
		"pool mean":                {Mean: true, Batch: 2, Tokens: 5, Prefix: 2, Dim: 3},
		"pool cls_mean":            {CLS: true, Mean: true, Batch: 2, Tokens: 5, Prefix: 2, Dim: 3},
		"pool cls_mean, no prefix": {CLS: true, Mean: true, Batch: 2, Tokens: 5, Dim: 3},
	} {
		x, dy := random(1, 2*5*3), random(2, 2*p.width())
		y, dx := make([]float64, len(dy)), random(3, len(x)) // whatever dx held before must not matter
		PoolBackward(dx, dy, p)
		cases = append(cases, gradientCase{name, x, func() float64 { Pool(y, x, p); return dot(y, dy) }, dx})
	}
	return cases
}

func lossGradients() []gradientCase {
	const b, c, scale = 3, 5, 0.3
	z, target := random(1, b*c), []int32{4, 0, 2}
	loss, dz := make([]float64, b), make([]float64, b*c)
	single := func(smoothing float64) func() float64 {
		return func() float64 {
			if err := CrossEntropy(loss, dz, z, target, scale, smoothing, b, c); err != nil {
				return math.NaN()
			}
			return sum(loss)
		}
	}
	single(0)()
	dSingle := slices.Clone(dz)
	single(0.1)()
	dSmooth := slices.Clone(dz)
	u, flags := random(2, b*c), make([]float64, b*c)
	for i := range flags {
		flags[i] = float64(i*7/3%2) * 0.9 // soft flags too
	}
	multi := func() float64 {
		BinaryCrossEntropy(loss, dz, u, flags, scale, b, c)
		return sum(loss)
	}
	multi()
	return []gradientCase{
		{"crossentropy", z, single(0), dSingle},
		{"crossentropy with label smoothing", z, single(0.1), dSmooth},
		{"binarycrossentropy", u, multi, slices.Clone(dz)},
	}
}

func sum(x []float64) (s float64) {
	for _, v := range x {
		s += v
	}
	return s
}

func swiGLUGradients() []gradientCase {
	const m, h = 3, 5
	x, dy, y, dx := random(90, m*2*h), random(91, m*h), make([]float64, m*h), make([]float64, m*2*h)
	SwiGLUBackward(dx, x, dy, m, h)
	return []gradientCase{{"swiglu", x, func() float64 { SwiGLU(y, x, m, h); return dot(y, dy) }, dx}}
}
