package ref

import "math"

// Branch is an AdaptMLP branch: down [r, d], bias [r], up [d, r], upBias [d]; with a norm on its input or its output also
// gamma, beta [d].
type Branch[T Float] struct {
	Down, Bias, Up, UpBias []T
	Scale                  float64
	R                      int
	NormIn, NormOut        bool
	Gamma, Beta            []T
	Eps                    float64
}

// MixedAdapter adds the branch of the m tokens of one image:
//
//	x += s (ReLU(in downᵀ + bias) upᵀ + upBias)      x, in [m, d]
//
// with a LayerNorm on in, or on what is added. in may be x.
func MixedAdapter[T Float](x, in []T, b Branch[T], m, d int) {
	h, a := make([]float64, b.R), make([]float64, d)
	for i := range m {
		for j, v := range row(in, i, d) {
			a[j] = float64(v)
		}
		if b.NormIn {
			b.norm(a)
		}
		for j := range h {
			h[j] = max(dot(a, row(b.Down, j, d))+float64(b.Bias[j]), 0)
		}
		for j := range d {
			a[j] = b.Scale * (dot(h, row(b.Up, j, b.R)) + float64(b.UpBias[j]))
		}
		if b.NormOut {
			b.norm(a)
		}
		for j := range d {
			x[i*d+j] = T(float64(x[i*d+j]) + a[j])
		}
	}
}

// norm is the branch's LayerNorm of one row, in place.
func (b Branch[T]) norm(a []float64) {
	mu, variance := moments(a)
	for j := range a {
		a[j] = (a[j]-mu)/math.Sqrt(variance+b.Eps)*float64(b.Gamma[j]) + float64(b.Beta[j])
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
