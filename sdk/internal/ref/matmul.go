package ref

// Affine is y = x wᵀ + bias; x [m, k], w [n, k], bias [n], y [m, n].
func Affine[T Float](y, x, w, bias []T, m, n, k int) {
	for i := range m {
		for j := range n {
			y[i*n+j] = T(dot(row(x, i, k), row(w, j, k)) + float64(bias[j]))
		}
	}
}

// MatMul is c = base + a b; a [m, n], b [n, k], c [m, k]. A nil base stands for zeros; c may be base.
func MatMul[T Float](c, a, b, base []T, m, n, k int) {
	sum := make([]float64, k)
	for i := range m {
		clear(sum)
		for j := range n {
			addScaled(sum, float64(a[i*n+j]), row(b, j, k))
		}
		for l, s := range sum {
			c[i*k+l] = T(at(base, i*k+l) + s)
		}
	}
}

// WeightGrad is dw = scale dyᵀ x; dy [m, n], x [m, k], dw [n, k].
func WeightGrad[T Float](dw, dy, x []T, scale float64, m, n, k int) {
	sum := make([]float64, k)
	for j := range n {
		clear(sum)
		for i := range m {
			addScaled(sum, float64(dy[i*n+j]), row(x, i, k))
		}
		for l, s := range sum {
			dw[j*k+l] = T(scale * s)
		}
	}
}

// BiasGrad is db = scale · column sums of dy; dy [m, n], db [n].
func BiasGrad[T Float](db, dy []T, scale float64, m, n int) {
	for j := range n {
		var s float64
		for i := range m {
			s += float64(dy[i*n+j])
		}
		db[j] = T(scale * s)
	}
}
