package ref

import "math"

// GELU is x Φ(x), with Φ the normal distribution function in its exact, erf form. Erfc keeps the relative accuracy of
// the left tail, where 1 + erf cancels.
func GELU(x float64) float64 { return x * normalCDF(x) }

// GELUDerivative is GELU'(x) = Φ(x) + x φ(x).
func GELUDerivative(x float64) float64 {
	density := math.Exp(-x*x/2) / math.Sqrt(2*math.Pi)
	return normalCDF(x) + x*density
}

func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }
