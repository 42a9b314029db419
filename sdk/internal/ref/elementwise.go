package ref

// Add is y = a + b.
func Add[T Float](y, a, b []T) {
	for i := range y {
		y[i] = T(float64(a[i]) + float64(b[i]))
	}
}

// Scale is y = factor x.
func Scale[T Float](y, x []T, factor float64) {
	for i := range y {
		y[i] = T(factor * float64(x[i]))
	}
}
