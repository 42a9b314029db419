package tune

import (
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/metrics"
)

// logits runs a over the images of a set as it predicts, and returns a row for each.
func (r *run) logits(a *adapter.Adapter, s set) ([][]float32, error) {
	task, err := nn.NewTask(r.v, a)
	if err != nil {
		return nil, err
	}
	defer task.Close()
	f, err := r.v.NewForward(r.evalConfig(task, r.cfg.Batch))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	from := s.tokens
	if task.Entry(r.v.Config().Depth) == nn.Features {
		from = s.features
	}
	return r.infer(f, from, len(a.Config().Labels))
}

// infer runs f over the rows of inputs, batch by batch.
func (r *run) infer(f *nn.Forward, inputs *cache, labels int) ([][]float32, error) {
	batch := r.cfg.Batch
	input, out := make([]float32, batch*inputs.width), make([]float32, batch*labels)
	var rows [][]float32
	for from := 0; from < inputs.rows; from += batch {
		ids := indices(from, min(from+batch, inputs.rows))
		if err := inputs.gather(ids, input); err != nil {
			return nil, err
		}
		if err := f.Run(r.ctx, input, func(f *nn.Forward) error { return f.Read(nn.TapLogits, out) }); err != nil {
			return nil, err
		}
		for k := range ids {
			rows = append(rows, append([]float32(nil), out[k*labels:(k+1)*labels]...))
		}
	}
	return rows, nil
}

// judge is the measure of logits on what a set shows, and their mean loss.
func (y truth) judge(logits [][]float32) (measure, loss float64) {
	for i, z := range logits {
		loss += y.loss(i, z)
	}
	return y.measure(logits), loss / float64(y.n())
}

// withThresholds gives a multi-label adapter the thresholds of best F1 on the images held out. Without any it has none.
func (r *run) withThresholds(a *adapter.Adapter) (*adapter.Adapter, error) {
	if !r.val.multi || r.val.n() == 0 {
		return a, nil
	}
	logits, err := r.logits(a, r.val)
	if err != nil {
		return nil, err
	}
	c := a.Config()
	c.Thresholds = nil
	for l := range c.Labels {
		scores, positive := make([]float32, len(logits)), make([]bool, len(logits))
		for i, z := range logits {
			scores[i], positive[i] = adapter.Sigmoid(z[l]), r.val.flags[i][l]
		}
		c.Thresholds = append(c.Thresholds, metrics.BestThreshold(scores, positive))
	}
	return a.WithConfig(c)
}

// indices are from .. to-1.
func indices(from, to int) []int {
	ids := make([]int, to-from)
	for k := range ids {
		ids[k] = from + k
	}
	return ids
}
