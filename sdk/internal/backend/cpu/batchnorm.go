package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// featuresPerTask is how many columns a task of BatchNorm takes.
const featuresPerTask = 128

// batchNorm normalises each feature by the batch's statistics, or by the running ones.
func (d *device) batchNorm(e *executable, o *backend.BatchNorm) func() {
	b, f := matrix(e, o.X)
	x, y := e.Floats(o.X), e.Floats(o.Y)
	mean, variance := e.Floats(o.RunningMean), e.Floats(o.RunningVar)
	if !o.Train {
		return d.elements(b*f, func(from, to int) {
			for i := from; i < to; i++ {
				y[i] = (x[i] - mean[i%f]) * inverseRoot(variance[i%f], o.Eps)
			}
		})
	}
	rstd := e.Floats(o.Rstd)
	task := func(_ *worker, i int) {
		for j, to := bounds(i, featuresPerTask, f); j < to; j++ {
			mu, squares := moments(x[j:], b, f)
			r := inverseRoot(squares/float32(b), o.Eps)
			for i := j; i < b*f; i += f {
				y[i] = (x[i] - mu) * r
			}
			rstd[j] = r
			mean[j] += o.Momentum * (mu - mean[j])
			variance[j] += o.Momentum * (squares/float32(max(b-1, 1)) - variance[j])
		}
	}
	return func() { d.pool.run(pieces(f, featuresPerTask), task) }
}

// moments is the mean of a column of b elements, f apart, and the sum of squares about it. The sums are float64: a
// batch is short, and one chain in float32 would lose digits for nothing.
func moments(x []float32, b, f int) (mean, squares float32) {
	var sum float64
	for i := range b {
		sum += float64(x[i*f])
	}
	mu := sum / float64(b)
	var s float64
	for i := range b {
		d := float64(x[i*f]) - mu
		s += d * d
	}
	return float32(mu), float32(s)
}

func inverseRoot(variance, eps float32) float32 {
	return float32(1 / math.Sqrt(float64(variance)+float64(eps)))
}

// batchNormBackward is dx = rstd (dy - mean(dy) - y mean(dy y)).
func (d *device) batchNormBackward(e *executable, o *backend.BatchNormBackward) func() {
	b, f := matrix(e, o.Y)
	y, rstd, dy, dx := e.Floats(o.Y), e.Floats(o.Rstd), e.Floats(o.DY), e.Floats(o.DX)
	task := func(_ *worker, i int) {
		for j, to := bounds(i, featuresPerTask, f); j < to; j++ {
			var sum, sumY float64
			for i := j; i < b*f; i += f {
				sum += float64(dy[i])
				sumY += float64(dy[i]) * float64(y[i])
			}
			g, gy := float32(sum/float64(b)), float32(sumY/float64(b))
			for i := j; i < b*f; i += f {
				dx[i] = rstd[j] * (dy[i] - g - y[i]*gy)
			}
		}
	}
	return func() { d.pool.run(pieces(f, featuresPerTask), task) }
}
