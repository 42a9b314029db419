// Package approx holds the elementary functions of package simd in float32: the definition that every vector kernel
// repeats lane by lane, and the portable code itself.
//
// The polynomials are Chebyshev interpolants, computed by coefficients_test.go from package math's float64 functions.
package approx

import "math"

const (
	// ExpMin is the smallest argument of Exp; smaller ones count as ExpMin. e^-70, 4e-31, stands for nothing in a softmax, and is
	// far enough from the smallest normal number, 1e-38, that probabilities and their products are normal too: on many processors
	// each subnormal operand costs a hundred cycles, and a Swin's masked scores are all below.
	ExpMin float32 = -70
	Log2E  float32 = 1 / math.Ln2
	// Ln2High has nine trailing zero bits, so that its product with an exponent is exact; Ln2Low is the rest of ln 2.
	Ln2High float32 = 0x1.62e4p-1
	Ln2Low  float32 = math.Ln2 - 0x1.62e4p-1
	// TailMin is the smallest -x²/2 of Normal: beyond it, |x| > 11.8, values of about 1e-31 stand for smaller ones.
	TailMin = ExpMin
	// TailScale is the p of the variable t = 1/(1 + p |x|), in which exp(x²/2) Φ(-|x|) is nearly a polynomial.
	TailScale float32 = 0.45
)

// Exp is e^x for ExpMin <= x <= 88, within 2 units in the last place. With n = round(x / ln 2) and r = x - n ln 2,
// |r| <= ln 2 / 2, it is 2ⁿ times the polynomial of e^r.
func Exp(x float32) float32 {
	x = max(x, ExpMin)
	n := round(x * Log2E)
	r := x - n*Ln2High - n*Ln2Low
	return math.Float32frombits(math.Float32bits(polynomial(ExpCoefficients[:], r)) + uint32(int32(n))<<23)
}

// round rounds |x| < 2²² to the nearest integer, ties to even: a number of that size has no bits left for fractions.
func round(x float32) float32 {
	const big = 3 << 22
	return float32(x+big) - big
}

// Normal is the normal distribution function Φ(x), and exp(-x²/2). The lower tail is exp(-x²/2) times a polynomial
// in t, so that it keeps its relative accuracy; the upper half is one minus that.
func Normal(x float32) (cdf, density float32) {
	a := math.Float32frombits(math.Float32bits(x) &^ (1 << 31)) // through float64, iterations would wait for one another
	density = Exp(max(-0.5*a*a, TailMin))
	t := 1 / (1 + TailScale*a)
	tail := density * polynomial(TailCoefficients[:], t)
	// Chosen by a mask: the sign of an activation cannot be predicted.
	negative := uint32(int32(math.Float32bits(x)) >> 31)
	return math.Float32frombits(math.Float32bits(tail)&negative | math.Float32bits(1-tail)&^negative), density
}

// GELU is x Φ(x), and its derivative Φ(x) + x φ(x).
func GELU(x float32) (y, derivative float32) {
	cdf, density := Normal(x)
	return x * cdf, cdf + x*density*float32(1/math.Sqrt(2*math.Pi))
}

func polynomial(c []float32, x float32) float32 {
	p := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		p = p*x + c[i]
	}
	return p
}
