package tune

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// startLoss is the mean training loss that an adapter starts with, as a share of that of guessing, log(classes).
const startLoss = 0.9

// temperedHead is the probe's head as the adapter starts from it: scaled by one factor, so that its choices are the
// probe's own while its mean training loss is startLoss of that of guessing.
//
// A probe of hundreds of features fits a few hundred images almost perfectly: its loss, and with it every gradient that
// could train a branch, is near zero. See RATIONALE for what that costs.
func (r *run) temperedHead(probe *adapter.Adapter) (map[string]tensor.Tensor, error) {
	logits, err := r.probeLogits(probe)
	if err != nil {
		return nil, err
	}
	head := tensorsOf(probe)
	factor := temper(logits, r.train.labels)
	for _, name := range []string{"head.1.weight", "head.1.bias"} {
		t := head[name].Clone()
		for i := range t.Data {
			t.Data[i] *= float32(factor)
		}
		head[name] = t
	}
	return head, nil
}

// temper finds the factor, at most 1, that brings the mean cross entropy of factor · logits to startLoss · log(classes).
func temper(logits [][]float32, labels []int32) float64 {
	loss := func(factor float64) float64 {
		var sum float64
		z := make([]float32, len(logits[0]))
		for i, row := range logits {
			for c, v := range row {
				z[c] = float32(factor * float64(v))
			}
			sum += crossEntropy(z, int(labels[i]))
		}
		return sum / float64(len(logits))
	}
	target := startLoss * math.Log(float64(len(logits[0])))
	if loss(1) >= target {
		return 1
	}
	low, high := 0.0, 1.0 // the loss at 0 is that of guessing
	for range 30 {
		if mid := (low + high) / 2; loss(mid) > target {
			low = mid
		} else {
			high = mid
		}
	}
	return high
}

// probeLogits runs the probe over the training features.
func (r *run) probeLogits(probe *adapter.Adapter) ([][]float32, error) {
	task, err := nn.NewTask(r.v, probe)
	if err != nil {
		return nil, err
	}
	defer task.Close()
	n, classes := len(r.train.labels), len(probe.Config().Labels)
	f, err := r.v.NewForward(nn.ForwardConfig{Batch: r.cfg.Batch, Height: r.cfg.Size, Width: r.cfg.Size, From: nn.Features,
		Task: task, Taps: []string{nn.TapLogits}})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	input, out := make([]float32, r.cfg.Batch*r.train.features.width), make([]float32, r.cfg.Batch*classes)
	var logits [][]float32
	for from := 0; from < n; from += r.cfg.Batch {
		ids := indices(from, min(from+r.cfg.Batch, n))
		if err := r.train.features.gather(ids, input); err != nil {
			return nil, err
		}
		if err := f.Run(r.ctx, input, func(f *nn.Forward) error { return f.Read(nn.TapLogits, out) }); err != nil {
			return nil, err
		}
		for k := range ids {
			logits = append(logits, append([]float32(nil), out[k*classes:(k+1)*classes]...))
		}
	}
	return logits, nil
}

// indices are from .. to-1.
func indices(from, to int) []int {
	ids := make([]int, to-from)
	for k := range ids {
		ids[k] = from + k
	}
	return ids
}
