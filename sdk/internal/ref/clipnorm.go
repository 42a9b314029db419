package ref

import "math"

// ClipNorm scales x so that its Euclidean norm is at most bound, in place; see backend.ClipNorm.
func ClipNorm[T Float](x []T, bound float64) {
	var squares float64
	for _, v := range x {
		squares += float64(v) * float64(v)
	}
	norm := math.Sqrt(squares)
	if !(norm > bound) {
		return
	}
	for i := range x {
		x[i] = T(float64(x[i]) * (bound / norm))
	}
}
