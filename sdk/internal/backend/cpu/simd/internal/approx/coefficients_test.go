package approx

import (
	"math"
	"testing"
)

// interpolate is the polynomial of the given degree through f at the Chebyshev nodes of [low, high], as coefficients
// of powers of x. Its error is within a small factor of the best polynomial's.
func interpolate(f func(float64) float64, low, high float64, degree int) []float64 {
	n := degree + 1
	half, middle := (high-low)/2, (high+low)/2
	result := make([]float64, n)
	previous, current := []float64(nil), []float64{1} // Chebyshev polynomials in powers of x
	for j := range n {
		var c float64
		for i := range n {
			angle := math.Pi * (float64(i) + 0.5) / float64(n)
			c += 2 / float64(n) * f(half*math.Cos(angle)+middle) * math.Cos(float64(j)*angle)
		}
		if j == 0 {
			c /= 2
		}
		for i, v := range current {
			result[i] += c * v
		}
		// T(j+1) = 2 u T(j) - T(j-1), and T(1) = u, where u = (x - middle) / half.
		factor := 2.0
		if j == 0 {
			factor = 1
		}
		next := make([]float64, len(current)+1)
		for i, v := range current {
			next[i+1] += factor * v / half
			next[i] -= factor * v * middle / half
		}
		for i, v := range previous {
			next[i] -= v
		}
		previous, current = current, next
	}
	return result
}

func TestCoefficients(t *testing.T) {
	const farthest = 13.2 // beyond where Normal ends, at sqrt(-2 TailMin)
	tail := func(t float64) float64 {
		x := (1/t - 1) / float64(TailScale)
		return math.Exp(x*x/2) * 0.5 * math.Erfc(x/math.Sqrt2)
	}
	for _, c := range []struct {
		name string
		want []float64
		got  []float32
	}{
		{"exp", interpolate(math.Exp, -math.Ln2/2, math.Ln2/2, len(ExpCoefficients)-1), ExpCoefficients[:]},
		{"tail", interpolate(tail, 1/(1+float64(TailScale)*farthest), 1, len(TailCoefficients)-1), TailCoefficients[:]},
	} {
		for i, w := range c.want {
			// The last bits of the sums depend on the platform's cosine.
			if d := math.Abs(w - float64(c.got[i])); d > 1e-7*math.Max(math.Abs(w), 1e-3) {
				t.Errorf("%s[%d] is %v, expected %.9g", c.name, i, c.got[i], w)
			}
		}
	}
}

func TestExp(t *testing.T) {
	var worst float64
	for x := ExpMin; x <= 88; x += 0.00137 {
		want := math.Exp(float64(x))
		worst = max(worst, math.Abs(float64(Exp(x))/want-1))
	}
	if worst > 2*0x1p-24 {
		t.Errorf("relative error %g, expected at most two roundings of 2⁻²⁴", worst)
	}
}

func TestGELU(t *testing.T) {
	var erf, y, derivative, tail float64
	for x := float32(-14); x <= 14; x += 0.00119 {
		v := float64(x)
		cdf, _ := Normal(x)
		wantCDF := 0.5 * math.Erfc(-v/math.Sqrt2)
		erf = max(erf, math.Abs(2*float64(cdf)-1-math.Erf(v/math.Sqrt2)))
		gy, gd := GELU(x)
		y = max(y, math.Abs(float64(gy)-v*wantCDF)/max(1, math.Abs(v)))
		derivative = max(derivative, math.Abs(float64(gd)-wantCDF-v*math.Exp(-v*v/2)/math.Sqrt(2*math.Pi)))
		if x > -5 && x < 0 {
			tail = max(tail, math.Abs(float64(cdf)/wantCDF-1))
		}
	}
	// Where the compiler fuses no multiply-adds; with them erf is within 2.5e-7.
	if erf > 3.2e-7 || y > 1e-7 || derivative > 2e-7 || tail > 1e-6 {
		t.Errorf("errors: erf %.3g, GELU %.3g, derivative %.3g, tail %.3g (relative)", erf, y, derivative, tail)
	}
	// tanh-GELU, the nearest wrong formula, is 4.7e-4 away.
	if got, _ := GELU(2); math.Abs(float64(got)-2*0.5*math.Erfc(-2/math.Sqrt2)) > 1e-6 {
		t.Errorf("GELU(2) is %v", got)
	}
}
