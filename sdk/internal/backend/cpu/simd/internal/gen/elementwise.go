package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// arithmetic writes the kernels without a function of their own.
func (v isa) arithmetic() {
	v.binary("add", "dst += src.", func(d, s reg.VecVirtual) { VADDPS(s, d, d) })
	v.binary("mul", "dst *= src.", func(d, s reg.VecVirtual) { VMULPS(s, d, d) })
	v.function("axpy", "dst, src []float32, alpha float32)", "dst += alpha src.")
	alpha := v.broadcast("alpha")
	dst, src := base("dst"), base("src")
	v.each(length("dst"), func(a access) {
		d, s := a.load(dst), a.load(src)
		VFMADD231PS(alpha, s, d)
		a.store(d, dst)
	})
	v.end()
	v.function("scale", "dst []float32, alpha float32)", "dst *= alpha.")
	alpha, dst = v.broadcast("alpha"), base("dst")
	v.each(length("dst"), func(a access) {
		d := a.load(dst)
		VMULPS(alpha, d, d)
		a.store(d, dst)
	})
	v.end()
}

func (v isa) binary(name, doc string, f func(d, s reg.VecVirtual)) {
	v.function(name, "dst, src []float32)", doc)
	dst, src := base("dst"), base("src")
	v.each(length("dst"), func(a access) {
		d, s := a.load(dst), a.load(src)
		f(d, s)
		a.store(d, dst)
	})
	v.end()
}

// reductions writes the kernels that return one number. Lane l adds elements l, l + lanes, ...; then the lanes are
// added: the order depends on the length alone.
func (v isa) reductions() {
	v.function("sum", "x []float32) float32", "the sum of x.")
	acc, x := v.zero(), base("x")
	v.each(length("x"), func(a access) { VADDPS(a.load(x), acc, acc) })
	v.result(v.sum(acc))

	v.function("dot", "x, y []float32) float32", "the inner product of x and y.")
	acc, x = v.zero(), base("x")
	y := base("y")
	v.each(length("x"), func(a access) { VFMADD231PS(a.load(x), a.load(y), acc) })
	v.result(v.sum(acc))

	v.function("squares", "x []float32, mean float32) float32", "the sum of (x - mean)².")
	acc, x = v.zero(), base("x")
	mean := v.broadcast("mean")
	v.each(length("x"), func(a access) {
		d := a.load(x)
		VSUBPS(mean, d, d)
		a.clear(d)
		VFMADD231PS(d, d, acc)
	})
	v.result(v.sum(acc))

	v.function("largest", "x []float32) float32", "the largest element of x, which has at least one.")
	x = base("x")
	acc = v.reg()
	VBROADCASTSS(Mem{Base: x}, acc)
	first := v.reg()
	VMOVAPS(acc, first)
	v.each(length("x"), func(a access) {
		d := a.load(x)
		if a.mask != nil { // the lanes beyond the end repeat the first element
			if v.wide {
				VBLENDMPS(d, first, a.mask, d)
			} else {
				VBLENDVPS(a.mask, d, first, d)
			}
		}
		VMAXPS(d, acc, acc)
	})
	v.result(v.fold(acc, func(a, b, c Op) { VMAXPS(a, b, c) }))
}

// result returns the lowest lane of x.
func (v isa) result(x reg.VecVirtual) {
	Store(x.AsX(), ReturnIndex(0))
	v.end()
}

// layerNorm writes the row kernels of LayerNorm and of its gradient.
func (v isa) layerNorm() {
	v.function("normalize", "y, x, gamma, beta []float32, mean, rstd float32)", "y = (x - mean) rstd ⊙ gamma + beta.")
	mean, rstd := v.broadcast("mean"), v.broadcast("rstd")
	y, x, gamma, beta := base("y"), base("x"), base("gamma"), base("beta")
	v.each(length("y"), func(a access) {
		d, g, b := a.load(x), a.load(gamma), a.load(beta)
		VSUBPS(mean, d, d)
		VMULPS(rstd, d, d)
		VFMADD213PS(b, g, d)
		a.store(d, y)
	})
	v.end()

	v.function("normSums", "x, gamma, dy []float32, mean, rstd float32) (u, ux float32)",
		"the sums of u = gamma ⊙ dy and of u (x - mean) rstd.")
	mean, rstd = v.broadcast("mean"), v.broadcast("rstd")
	x, gamma = base("x"), base("gamma")
	dy := base("dy")
	sumU, sumUX := v.zero(), v.zero()
	v.each(length("x"), func(a access) {
		u, g, d := a.load(dy), a.load(gamma), a.load(x)
		VMULPS(g, u, u)
		VADDPS(u, sumU, sumU)
		VSUBPS(mean, d, d)
		VMULPS(rstd, d, d)
		VFMADD231PS(u, d, sumUX)
	})
	Store(v.sum(sumU).AsX(), ReturnIndex(0))
	v.resultAt(v.sum(sumUX), 1)

	v.function("normGrad", "dx, x, gamma, dy []float32, mean, rstd, u, ux float32)",
		"dx += rstd (gamma ⊙ dy - u - (x - mean) rstd ux).")
	mean, rstd = v.broadcast("mean"), v.broadcast("rstd")
	u, ux := v.broadcast("u"), v.broadcast("ux")
	dx := base("dx")
	x, gamma, dy = base("x"), base("gamma"), base("dy")
	v.each(length("dx"), func(a access) {
		t, g, d, out := a.load(dy), a.load(gamma), a.load(x), a.load(dx)
		VMULPS(g, t, t) // rounded, as in the mean: with rows of one element the difference is zero
		VSUBPS(u, t, t)
		VSUBPS(mean, d, d)
		VMULPS(rstd, d, d)
		VFNMADD231PS(ux, d, t)
		VFMADD231PS(rstd, t, out)
		a.store(out, dx)
	})
	v.end()
}

func (v isa) resultAt(x reg.VecVirtual, i int) {
	Store(x.AsX(), ReturnIndex(i))
	v.end()
}
