package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd/internal/approx"
)

// exp replaces x by e^x in the arithmetic of approx.Exp; x >= approx.ExpMin.
func (v isa) exp(x reg.VecVirtual) {
	n := v.reg()
	VMULPS(constant(approx.Log2E), x, n)
	v.round(n)
	VFNMADD231PS(constant(approx.Ln2High), n, x)
	VFNMADD231PS(constant(approx.Ln2Low), n, x)
	p := v.polynomial(approx.ExpCoefficients[:], x)
	VCVTPS2DQ(n, n)
	VPSLLD(Imm(23), n, n)
	VPADDD(n, p, x)
}

// round rounds to the nearest integer, ties to even.
func (v isa) round(r reg.VecVirtual) {
	if v.wide {
		VRNDSCALEPS(Imm(0), r, r)
	} else {
		VROUNDPS(Imm(0), r, r)
	}
}

// polynomial is Σ c[i] x^i by Horner's rule.
func (v isa) polynomial(c []float32, x reg.VecVirtual) reg.VecVirtual {
	p := v.reg()
	VMOVUPS(constant(c[len(c)-1]), p)
	for i := len(c) - 2; i >= 0; i-- {
		VFMADD213PS(constant(c[i]), x, p)
	}
	return p
}

// softmax writes the exponentials of a row of scores with their sum, and the gradient at the scores.
func (v isa) softmax() {
	v.function("expSum", "x []float32, scale, shift float32) float32", "x = exp(scale x - shift), at most 88; it returns the sum.")
	scale, shift := v.broadcast("scale"), v.broadcast("shift")
	acc, x := v.zero(), base("x")
	v.each(length("x"), func(a access) {
		e := a.load(x)
		VFMSUB213PS(shift, scale, e)
		VMAXPS(constant(approx.ExpMin), e, e)
		v.exp(e)
		a.store(e, x)
		a.clear(e)
		VADDPS(e, acc, acc)
	})
	v.result(v.sum(acc))

	v.function("scoreGrad", "dp, p []float32, delta, scale float32)", "dp = p (dp - delta) scale.")
	delta := v.broadcast("delta")
	scale = v.broadcast("scale")
	dp, p := base("dp"), base("p")
	v.each(length("dp"), func(a access) {
		d, w := a.load(dp), a.load(p)
		VSUBPS(delta, d, d)
		VMULPS(w, d, d)
		VMULPS(scale, d, d)
		a.store(d, dp)
	})
	v.end()
}

// geluKernels writes GELU alone, and with its derivative.
func (v isa) geluKernels() {
	v.function("gelu", "x []float32)", "x = GELU(x).")
	x := base("x")
	v.each(length("x"), func(a access) {
		t := a.load(x)
		cdf, _ := v.normal(t)
		VMULPS(t, cdf, cdf)
		a.store(cdf, x)
	})
	v.end()
	v.function("geluGrad", "x, d []float32)", "d = GELU'(x), then x = GELU(x).")
	x = base("x")
	d := base("d")
	v.each(length("x"), func(a access) {
		t := a.load(x)
		cdf, density := v.normal(t)
		g := v.reg()
		VMULPS(constant(float32(1/math.Sqrt(2*math.Pi))), density, g)
		VFMADD213PS(cdf, t, g) // x φ(x) + Φ(x)
		a.store(g, d)
		VMULPS(t, cdf, cdf)
		a.store(cdf, x)
	})
	v.end()
}

// normal is Φ(x) and exp(-x²/2), by approx.Normal.
func (v isa) normal(x reg.VecVirtual) (cdf, density reg.VecVirtual) {
	magnitude, density := v.reg(), v.reg()
	if v.wide {
		VPANDD(constant(math.Float32frombits(0x7fffffff)), x, magnitude)
	} else {
		VANDPS(constant(math.Float32frombits(0x7fffffff)), x, magnitude)
	}
	VMULPS(constant(-0.5), magnitude, density)
	VMULPS(magnitude, density, density)
	VMAXPS(constant(approx.TailMin), density, density)
	v.exp(density)
	t := v.reg()
	VMOVUPS(constant(1), t)
	VFMADD231PS(constant(approx.TailScale), magnitude, t)
	one := v.reg()
	VMOVUPS(constant(1), one)
	VDIVPS(t, one, t)
	tail := v.polynomial(approx.TailCoefficients[:], t)
	VMULPS(density, tail, tail) // Φ(-|x|)
	upper := v.reg()
	VSUBPS(tail, one, upper)
	cdf = v.reg()
	if v.wide {
		negative := K()
		VPMOVD2M(x, negative)
		VBLENDMPS(tail, upper, negative, cdf)
	} else {
		VBLENDVPS(x, tail, upper, cdf)
	}
	return cdf, density
}
