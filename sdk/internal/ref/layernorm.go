package ref

import "math"

// LayerNorm normalises each row:
//
//	y = (x - mean) rstd ⊙ gamma + beta,  rstd = 1/sqrt(var + eps)
//
// x, y [m, d]; gamma, beta [d]; mean, rstd [m]. The variance is the biased one, taken in a second pass over x - mean:
// the one-pass form mean(x²) - mean² cancels where the mean is large.
func LayerNorm[T Float](y, mean, rstd, x, gamma, beta []T, eps float64, m, d int) {
	for i := range m {
		in, out := row(x, i, d), row(y, i, d)
		mu, variance := moments(in)
		r := 1 / math.Sqrt(variance+eps)
		for j := range d {
			out[j] = T((float64(in[j])-mu)*r*float64(gamma[j]) + float64(beta[j]))
		}
		mean[i], rstd[i] = T(mu), T(r)
	}
}

// moments returns the mean of x and its biased variance.
func moments[T Float](x []T) (mean, variance float64) {
	for _, v := range x {
		mean += float64(v)
	}
	mean /= float64(len(x))
	for _, v := range x {
		d := float64(v) - mean
		variance += d * d
	}
	return mean, variance / float64(len(x))
}

// LayerNormBackward is the input gradient. With u = gamma ⊙ dy and xh = (x - mean) rstd, per row:
//
//	dx = base + rstd (u - mean(u) - xh mean(u xh))
//
// x, dy, dx, base [m, d]; gamma [d]; mean, rstd [m]. A nil base stands for zeros; dx may be base.
func LayerNormBackward[T Float](dx, x, gamma, mean, rstd, dy, base []T, m, d int) {
	for i := range m {
		in, g := row(x, i, d), row(dy, i, d)
		mu, r := float64(mean[i]), float64(rstd[i])
		var sumU, sumUX float64
		for j := range d {
			u := float64(gamma[j]) * float64(g[j])
			sumU += u
			sumUX += u * (float64(in[j]) - mu) * r
		}
		for j := range d {
			u := float64(gamma[j]) * float64(g[j])
			xh := (float64(in[j]) - mu) * r
			dx[i*d+j] = T(at(base, i*d+j) + r*(u-sumU/float64(d)-xh*sumUX/float64(d)))
		}
	}
}

// GainGrad is the gradient of the gain: dgamma = column sums of dy ⊙ (x - mean) rstd; x, dy [m, d]; mean, rstd [m].
func GainGrad[T Float](dgamma, x, mean, rstd, dy []T, m, d int) {
	for j := range d {
		var s float64
		for i := range m {
			s += float64(dy[i*d+j]) * (float64(x[i*d+j]) - float64(mean[i])) * float64(rstd[i])
		}
		dgamma[j] = T(s)
	}
}
