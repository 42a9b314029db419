package sdk

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/pkg/errors"
)

// Request is one image of a batch with the adapter that is to judge it. A nil Adapter asks for plain features.
type Request struct {
	Image   any // as Predict takes it
	Adapter *Adapter
	Options []PredictOption
}

// Label is one class with its score: a probability for single-label tasks, where all scores sum to 1; for multi-label
// tasks each class's own probability, and whether it reaches the adapter's threshold for it.
type Label struct {
	Name    string  `json:"label"`
	Index   int     `json:"index"`
	Score   float32 `json:"score"`
	Present *bool   `json:"present,omitempty"` // nil for single-label tasks
}

// Result is the answer to a Request.
type Result struct {
	Labels   []Label   // best first, equal scores by index; empty without an adapter
	Features []float32 // pooled features [F]

	// Plugin is the JSON object that the adapter's plug-in made of the scores, nil where it makes none.
	Plugin json.RawMessage
}

// Predict classifies an image with an adapter. The image is an image.Image, an io.Reader or []byte with a JPEG, PNG,
// WebP, GIF or BMP file, *data.RGB, or a Tensor [3, H, W] that is already normalised. A nil adapter gives plain features.
// Cost: one forward pass; the first call for an adapter also compiles it.
func (bb *Backbone) Predict(ctx context.Context, img any, a *Adapter, opts ...PredictOption) (Result, error) {
	rs, err := bb.PredictBatch(ctx, []Request{{Image: img, Adapter: a, Options: opts}})
	if err != nil {
		return Result{}, err
	}
	return rs[0], nil
}

// PredictBatch classifies many images, each with its own adapter or none, in as few passes as their sizes allow, on the CPU in
// short ones: a pass serves images of any mix of adapters. A result's bits do not depend on what else is in the batch, or on what other
// goroutines ask for meanwhile, which may share its passes. The first error ends the call, and so does the end of ctx: images
// that wait are withdrawn, a pass that serves others too is waited for. It returns ErrBusy, before it reads an image, where
// too many wait already (see WithQueue).
func (bb *Backbone) PredictBatch(ctx context.Context, reqs []Request) ([]Result, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	room, err := bb.sched.admit(len(reqs))
	if err != nil {
		return nil, err
	}
	defer room.leave()
	entered := versions{}
	defer entered.leave()
	jobs, vs := make([]*job, len(reqs)), make([]*version, len(reqs))
	for i, q := range reqs {
		v, err := entered.enter(q.Adapter, bb)
		if err != nil {
			return nil, errors.WithMessagef(err, "request %d", i)
		}
		x, err := bb.prepare(q.Image, bb.pipeline(ctx, v))
		if err == nil {
			err = bb.checkSize(x)
		}
		if err != nil {
			return nil, errors.WithMessagef(err, "image %d", i)
		}
		jobs[i], vs[i] = &job{adapter: q.Adapter, task: v.resident(), input: x}, v
	}
	if err := bb.sched.do(ctx, room, jobs); err != nil {
		return nil, err
	}
	out := make([]Result, len(reqs))
	for i, j := range jobs {
		if out[i], err = j.answer.result(ctx, vs[i], reqs[i].Options); err != nil {
			return nil, errors.WithMessagef(err, "image %d", i)
		}
	}
	return out, nil
}

// checkSize refuses a tensor that no pass takes, before it can spoil a batch.
func (bb *Backbone) checkSize(x Tensor) error {
	h, w, patch := x.Shape[1], x.Shape[2], bb.host.Config().Patch
	if h < patch || w < patch || h%patch != 0 || w%patch != 0 {
		return errors.WithMessagef(ErrShape, "input of %d x %d pixels, expected sides that are multiples of the patch %d", h, w, patch)
	}
	return nil
}

// result is an answer in words; v is nil for plain features.
func (a answer) result(ctx context.Context, v *version, opts []PredictOption) (r Result, err error) {
	r.Features = a.features
	if v != nil {
		r.Labels = labels(v.config(), a.logits, opts)
		r.Plugin, err = v.judge(ctx, a.logits)
	}
	return r, err
}

// labels turns logits into scored classes, best first.
func labels(c adapter.Config, logits []float32, opts []PredictOption) []Label {
	var o predictOptions
	for _, set := range opts {
		set(&o)
	}
	scores := scores(c.Task, logits)
	list := make([]Label, len(scores))
	for i, s := range scores {
		list[i] = Label{Name: c.Labels[i], Index: i, Score: s}
		if c.Task == adapter.MultiLabel {
			present := s >= c.Threshold(i)
			list[i].Present = &present
		}
	}
	slices.SortStableFunc(list, func(a, b Label) int {
		switch {
		case a.Score > b.Score:
			return -1
		case a.Score < b.Score:
			return 1
		}
		return 0
	})
	if o.topK > 0 && o.topK < len(list) {
		list = list[:o.topK]
	}
	for len(list) > 0 && list[len(list)-1].Score < o.minScore {
		list = list[:len(list)-1]
	}
	return list
}

// scores are softmax probabilities, or sigmoids for multi-label tasks.
func scores(task adapter.Task, logits []float32) []float32 {
	out := make([]float32, len(logits))
	if task == adapter.MultiLabel {
		for i, z := range logits {
			out[i] = adapter.Sigmoid(z)
		}
		return out
	}
	top, sum := float64(slices.Max(logits)), 0.0
	for _, z := range logits {
		sum += math.Exp(float64(z) - top)
	}
	for i, z := range logits {
		out[i] = float32(math.Exp(float64(z)-top) / sum)
	}
	return out
}
