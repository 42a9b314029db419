package tune

import (
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// startLoss is the mean training loss that an adapter starts with, as a share of that of guessing: log(classes), or log 2 a label.
const startLoss = 0.9

// temperedHead is the probe's head as the adapter starts from it: scaled by one factor, so that its choices are the
// probe's own while its mean training loss is startLoss of that of guessing.
//
// A probe of hundreds of features fits a few hundred images almost perfectly: its loss, and with it every gradient that
// could train a branch, is near zero. See RATIONALE for what that costs.
func (r *run) temperedHead(probe *adapter.Adapter) (map[string]tensor.Tensor, error) {
	logits, err := r.logits(probe, r.train)
	if err != nil {
		return nil, err
	}
	head := tensorsOf(probe)
	factor := temper(logits, r.train.truth)
	for _, name := range []string{"head.1.weight", "head.1.bias"} {
		t := head[name].Clone()
		for i := range t.Data {
			t.Data[i] *= float32(factor)
		}
		head[name] = t
	}
	return head, nil
}

// temper finds the factor, at most 1, that brings the mean loss of factor · logits to startLoss of that of guessing, or as
// near to it as a factor can: a head that errs with confidence costs more than guessing until it is scaled far down.
func temper(logits [][]float32, y truth) float64 {
	z := make([]float32, len(logits[0]))
	loss := func(factor float64) float64 {
		var sum float64
		for i, row := range logits {
			for c, v := range row {
				z[c] = float32(factor * float64(v))
			}
			sum += y.loss(i, z)
		}
		return sum / float64(len(logits))
	}
	// The loss is convex in the factor and that of guessing at 0: it falls from there to its lowest point.
	low, lowest := 0.0, 1.0
	for range 60 {
		left, right := low+(lowest-low)/3, lowest-(lowest-low)/3
		if loss(left) > loss(right) {
			low = left
		} else {
			lowest = right
		}
	}
	if lowest > 1-1e-6 {
		lowest = 1
	}
	target := startLoss * y.guess()
	if loss(lowest) >= target {
		return lowest
	}
	low = 0
	for range 30 {
		if mid := (low + lowest) / 2; loss(mid) > target {
			low = mid
		} else {
			lowest = mid
		}
	}
	return lowest
}
