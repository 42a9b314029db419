// Package approx holds the elementary functions of package simd in float32: the definition that every vector kernel
// repeats lane by lane, and the portable code itself.
//
// The polynomials are Chebyshev interpolants, computed by coefficients_test.go from package math's float64 functions.
package approx

import "math"

const (
	// ExpMin is the smallest argument of Exp, whose result is then a normal number; smaller ones count as ExpMin.
	ExpMin float32 = -87
	Log2E  float32 = 1 / math.Ln2
	// Ln2High has nine trailing zero bits, so that its product with an exponent is exact; Ln2Low is the rest of ln 2.
	Ln2High float32 = 0x1.62e4p-1
	Ln2Low  float32 = math.Ln2 - 0x1.62e4p-1
	// TailScale is the p of the variable t = 1/(1 + p |x|), in which exp(x²/2) Φ(-|x|) is nearly a polynomial.
	TailScale float32 = 0.45
)

// Exp is e^x for ExpMin <= x <= 88, within 2 units in the last place. With n = round(x / ln 2) and r = x - n ln 2,
// |r| <= ln 2 / 2, it is 2ⁿ times the polynomial of e^r.
func Exp(x float32) float32 {
	x = max(x, ExpMin)
	n := float32(math.RoundToEven(float64(x * Log2E)))
	r := fma(-n, Ln2High, x)
	r = fma(-n, Ln2Low, r)
	return math.Float32frombits(math.Float32bits(polynomial(ExpCoefficients[:], r)) + uint32(int32(n))<<23)
}

// Normal is the normal distribution function Φ(x), and exp(-x²/2). The lower tail is exp(-x²/2) times a polynomial
// in t, so that it keeps its relative accuracy; the upper half is one minus that.
func Normal(x float32) (cdf, density float32) {
	a := float32(math.Abs(float64(x)))
	density = Exp(-0.5 * a * a)
	t := 1 / fma(TailScale, a, 1)
	tail := density * polynomial(TailCoefficients[:], t)
	if math.Signbit(float64(x)) {
		return tail, density
	}
	return 1 - tail, density
}

// GELU is x Φ(x), and its derivative Φ(x) + x φ(x).
func GELU(x float32) (y, derivative float32) {
	cdf, density := Normal(x)
	return x * cdf, fma(x, density*float32(1/math.Sqrt(2*math.Pi)), cdf)
}

func polynomial(c []float32, x float32) float32 {
	p := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		p = fma(p, x, c[i])
	}
	return p
}

// fma is x y + z, the product exact: 24 + 24 bits fit a float64. The sum is rounded twice, which differs from one
// rounding in about one case of 2²⁹.
func fma(x, y, z float32) float32 { return float32(float64(x)*float64(y) + float64(z)) }
