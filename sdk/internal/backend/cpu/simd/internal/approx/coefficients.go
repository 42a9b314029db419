package approx

// The coefficients by power, lowest first. coefficients_test.go derives them.
var (
	// ExpCoefficients approximate e^r for |r| <= ln 2 / 2: relative error 3e-9 before rounding.
	ExpCoefficients = [7]float32{
		1, 1.00000004, 0.500000005, 0.166664155, 0.0416663529, 0.0083751264, 0.00139411086,
	}
	// TailCoefficients approximate exp(x²/2) Φ(-x) in t = 1/(1 + TailScale x) for 0 <= x <= 13.2. In float32 Φ is
	// then within 1.3e-7, and its lower tail down to -5 within 7e-7 of itself.
	TailCoefficients = [10]float32{
		-7.96485087e-06, 0.179761551, 0.176464926, 0.165530501, -0.0317670653, 0.285510907, -0.641363837, 0.562709786,
		-0.23753451, 0.0406957129,
	}
)
