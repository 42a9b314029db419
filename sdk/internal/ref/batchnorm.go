package ref

import "math"

// BatchNorm normalises each feature by the running statistics: y = (x - mean) / sqrt(var + eps); x, y [b, f],
// mean, variance [f].
func BatchNorm[T Float](y, x, mean, variance []T, eps float64, b, f int) {
	for i := range b * f {
		j := i % f
		y[i] = T((float64(x[i]) - float64(mean[j])) / math.Sqrt(float64(variance[j])+eps))
	}
}

// BatchNormTrain normalises each feature by the batch's own statistics, with the biased variance, stores
// rstd = 1/sqrt(var + eps) [f] and moves the running statistics:
//
//	mean = (1-momentum) mean + momentum batch mean;  variance likewise by the unbiased one (the biased one where b is 1)
func BatchNormTrain[T Float](y, rstd, mean, variance, x []T, eps, momentum float64, b, f int) {
	column := make([]float64, b)
	move := func(running *T, to float64) { *running = T((1-momentum)*float64(*running) + momentum*to) }
	for j := range f {
		for i := range b {
			column[i] = float64(x[i*f+j])
		}
		mu, biased := moments(column)
		r := 1 / math.Sqrt(biased+eps)
		for i, v := range column {
			y[i*f+j] = T((v - mu) * r)
		}
		rstd[j] = T(r)
		move(&mean[j], mu)
		move(&variance[j], biased*float64(b)/float64(max(b-1, 1)))
	}
}

// BatchNormBackward is the input gradient in training, per feature over the batch:
//
//	dx = rstd (dy - mean(dy) - y mean(dy y))       y, dy, dx [b, f]; rstd [f]
func BatchNormBackward[T Float](dx, y, rstd, dy []T, b, f int) {
	for j := range f {
		var sum, sumY float64
		for i := range b {
			g := float64(dy[i*f+j])
			sum += g
			sumY += g * float64(y[i*f+j])
		}
		for i := range b {
			g, v := float64(dy[i*f+j]), float64(y[i*f+j])
			dx[i*f+j] = T(float64(rstd[j]) * (g - sum/float64(b) - v*sumY/float64(b)))
		}
	}
}
