package ref

// SwiGLU is y = silu(a) b with [a, b] = x, silu(a) = a σ(a). x [M, 2 H], y [M, H]. Source: Shazeer, GLU Variants
// Improve Transformer (2020); the order of the halves is DINOv2's.
func SwiGLU[T Float](y, x []T, m, h int) {
	for r := range m {
		a, b := x[2*r*h:][:h], x[(2*r+1)*h:][:h]
		for j := range h {
			v := float64(a[j])
			y[r*h+j] = T(v * sigmoid(v) * float64(b[j]))
		}
	}
}

// SwiGLUBackward is the gradient at x:
//
//	da = dy b σ(a) (1 + a (1 - σ(a)))        db = dy silu(a)
func SwiGLUBackward[T Float](dx, x, dy []T, m, h int) {
	for r := range m {
		a, b := x[2*r*h:][:h], x[(2*r+1)*h:][:h]
		da, db := dx[2*r*h:][:h], dx[(2*r+1)*h:][:h]
		for j := range h {
			v, g := float64(a[j]), float64(dy[r*h+j])
			s := sigmoid(v)
			da[j], db[j] = T(g*float64(b[j])*s*(1+v*(1-s))), T(g*v*s)
		}
	}
}
