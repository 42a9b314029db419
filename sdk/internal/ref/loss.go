package ref

import (
	"fmt"
	"math"
)

// CrossEntropy is the loss of single-label classification, per image, with its gradient:
//
//	loss[b] = scale (log Σ exp z[b] - Σc y[c] z[b, c]);  dz = scale (softmax z - y)
//	y = (1 - smoothing) onehot + smoothing / C
//
// z, dz [b, c]; target, loss [b]. It returns an error for a target that is no class.
func CrossEntropy[T Float](loss, dz, z []T, target []int32, scale, smoothing float64, b, c int) error {
	logits := make([]float64, c)
	for i := range b {
		t := int(target[i])
		if t < 0 || t >= c {
			return fmt.Errorf("target [%d] is %d, expected 0 to %d", i, t, c-1)
		}
		for j, v := range row(z, i, c) {
			logits[j] = float64(v)
		}
		lse := logSumExp(logits)
		cross := 0.0
		for j, v := range logits {
			y := smoothing / float64(c)
			if j == t {
				y += 1 - smoothing
			}
			cross += y * v
			dz[i*c+j] = T(scale * (math.Exp(v-lse) - y))
		}
		loss[i] = T(scale * (lse - cross))
	}
	return nil
}

// BinaryCrossEntropy is the loss of multi-label classification from logits, per image, with its gradient:
//
//	loss[b] = scale Σc (max(z, 0) - z y + log(1 + exp(-|z|)));  dz = scale (sigmoid z - y)
//
// z, dz, target y [b, c]; loss [b].
func BinaryCrossEntropy[T Float](loss, dz, z, target []T, scale float64, b, c int) {
	for i := range b {
		var sum float64
		for j := i * c; j < (i+1)*c; j++ {
			v, y := float64(z[j]), float64(target[j])
			sum += max(v, 0) - v*y + math.Log1p(math.Exp(-math.Abs(v)))
			dz[j] = T(scale * (sigmoid(v) - y))
		}
		loss[i] = T(scale * sum)
	}
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
