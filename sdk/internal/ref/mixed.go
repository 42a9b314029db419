package ref

import "math"

// Branch is an AdaptMLP branch: down [r, d], bias [r], up [d, r], upBias [d].
type Branch[T Float] struct {
	Down, Bias, Up, UpBias []T
	Scale                  float64
	R                      int
}

// MixedAdapter adds the branch to the m tokens of one image, in place:
//
//	x += s (ReLU(x downᵀ + bias) upᵀ + upBias)      x [m, d]
func MixedAdapter[T Float](x []T, b Branch[T], m, d int) {
	h := make([]float64, b.R)
	for i := range m {
		for j := range h {
			h[j] = max(dot(row(x, i, d), row(b.Down, j, d))+float64(b.Bias[j]), 0)
		}
		for j := range d {
			x[i*d+j] = T(float64(x[i*d+j]) + b.Scale*(dot(h, row(b.Up, j, b.R))+float64(b.UpBias[j])))
		}
	}
}

// MixedFeatures is what the head of one image's task reads, z = (f - mean) / sqrt(variance + eps); without statistics,
// z = f.
func MixedFeatures[T Float](z, f, mean, variance []T, eps float64) {
	for i, v := range f {
		if mean != nil {
			v = T((float64(v) - float64(mean[i])) / math.Sqrt(float64(variance[i])+eps))
		}
		z[i] = v
	}
}

// MixedHead is one image's classifier, y = z wᵀ + bias: z [k], w [n, k], y [n].
func MixedHead[T Float](y, z, w, bias []T) {
	for j := range y {
		y[j] = T(dot(z, row(w, j, len(z))) + float64(bias[j]))
	}
}
