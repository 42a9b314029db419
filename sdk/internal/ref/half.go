package ref

import "math"

// LargestHalf and SmallestHalf are the magnitudes between which numbers are stored as float16; SmallestHalf is its least normal one.
const (
	LargestHalf  = 65504
	SmallestHalf = 0x1p-14
)

// Half is what x becomes when it is stored as float16: the nearest such number, ties to even. What is larger than LargestHalf,
// infinity too, becomes that; what is smaller than SmallestHalf, where devices differ, becomes zero. NaN stays NaN.
func Half[T Float](x T) T {
	v := float64(x)
	switch a := math.Abs(v); {
	case a < SmallestHalf:
		return T(math.Copysign(0, v))
	case a > LargestHalf:
		return T(math.Copysign(LargestHalf, v))
	}
	_, exponent := math.Frexp(v)
	const digits = 11
	return T(math.Ldexp(math.RoundToEven(math.Ldexp(v, digits-exponent)), exponent-digits))
}

// RoundHalf is Half of each of x, in place.
func RoundHalf[T Float](x []T) {
	for i, v := range x {
		x[i] = Half(v)
	}
}
