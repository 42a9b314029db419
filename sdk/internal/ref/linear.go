package ref

// The epilogues of a frozen linear layer. In all of them
//
//	a = x Wᵀ + bias        x [m, k], W [n, k], bias [n], a and y [m, n]

// Linear is y = a.
func Linear[T Float](y, x []T, w Weight, bias []T, m, n, k int) {
	store(y, linearSums(x, w, bias, m, n, k))
}

// LinearResidual is y = residual + a; residual [m, n].
func LinearResidual[T Float](y, x []T, w Weight, bias, residual []T, m, n, k int) {
	for i, a := range linearSums(x, w, bias, m, n, k) {
		y[i] = T(float64(residual[i]) + a)
	}
}

// LinearGELU is y = GELU(a), and dgelu = GELU'(a) unless dgelu [m, n] is nil.
func LinearGELU[T Float](y, dgelu, x []T, w Weight, bias []T, m, n, k int) {
	for i, a := range linearSums(x, w, bias, m, n, k) {
		y[i] = T(GELU(a))
		if dgelu != nil {
			dgelu[i] = T(GELUDerivative(a))
		}
	}
}

// AdapterUp is the second half of AdaptMLP: scale (hidden upᵀ + bias); hidden [m, r], up [n, r], bias [n].
type AdapterUp[T Float] struct {
	Hidden, Up, Bias []T
	Scale            float64
	R                int
}

// LinearResidualAdapter is y = residual + a + scale (hidden upᵀ + upBias).
func LinearResidualAdapter[T Float](y, x []T, w Weight, bias, residual []T, b AdapterUp[T], m, n, k int) {
	for i, a := range linearSums(x, w, bias, m, n, k) {
		r, c := i/n, i%n
		up := dot(row(b.Hidden, r, b.R), row(b.Up, c, b.R)) + float64(b.Bias[c])
		y[i] = T(float64(residual[i]) + a + b.Scale*up)
	}
}

// linearSums is a.
func linearSums[T Float](x []T, w Weight, bias []T, m, n, k int) []float64 {
	a, wr := make([]float64, m*n), make([]float32, k)
	for j := range n {
		w.DequantizeRow(wr, j)
		for i := range m {
			a[i*n+j] = dot(row(x, i, k), wr) + float64(bias[j])
		}
	}
	return a
}

// LinearBackward is the input gradient of a frozen layer:
//
//	dx = (dy W) ⊙ dgelu        dy [m, n], W [n, k], dx [m, k]
//
// A nil dgelu [m, k] stands for ones.
func LinearBackward[T Float](dx, dy []T, w Weight, dgelu []T, m, n, k int) {
	sum, wr := make([]float64, m*k), make([]float32, k)
	for j := range n {
		w.DequantizeRow(wr, j)
		for i := range m {
			addScaled(row(sum, i, k), float64(dy[i*n+j]), wr)
		}
	}
	for i, s := range sum {
		if dgelu != nil {
			s *= float64(dgelu[i])
		}
		dx[i] = T(s)
	}
}

// Scaled is a weight whose rows have scales: int8 numbers times them.
type Scaled interface {
	Weight
	RowScale(row int) float32
}

// LinearBackwardInt8 is LinearBackward with int8 gradients: the scales of W's rows go into dy, and that is rounded as
// RoundActivations says, in float32, before it meets W's own integers.
func LinearBackwardInt8[T Float](dx, dy []T, w Scaled, dgelu []T, m, n, k, block int) {
	scaled := make([]T, len(dy))
	for i, v := range dy {
		scaled[i] = T(float32(v) * w.RowScale(i%n))
	}
	rounded := RoundActivations(scaled, m, n, block)
	for i, v := range rounded {
		if s := w.RowScale(i % n); s != 0 {
			rounded[i] = T(float64(v) / float64(s))
		}
	}
	LinearBackward(dx, rounded, w, dgelu, m, n, k)
}
