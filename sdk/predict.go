package sdk

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// Request is one image of a batch with the adapter that is to judge it. A nil Adapter asks for plain features.
type Request struct {
	Image   any // as Predict takes it
	Adapter *Adapter
	Options []PredictOption
}

// Label is one class with its score: a probability for single-label tasks, where all scores sum to 1; for multi-label
// tasks each class's own probability.
type Label struct {
	Name  string  `json:"label"`
	Index int     `json:"index"`
	Score float32 `json:"score"`
}

// Result is the answer to a Request.
type Result struct {
	Labels   []Label   // best first, equal scores by index; empty without an adapter
	Features []float32 // pooled features [F]

	// Plugin is the JSON object that the adapter's plug-in made of the scores, nil where it makes none.
	Plugin json.RawMessage

	logits []float32 // of all classes, in their order
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

// PredictBatch classifies many images, each with its own adapter. Requests of one adapter and input size share a pass;
// a result's bits do not depend on what else is in the batch. The first error ends the call.
func (bb *Backbone) PredictBatch(ctx context.Context, reqs []Request) ([]Result, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	groups, err := bb.group(ctx, reqs)
	if err != nil {
		return nil, err
	}
	out := make([]Result, len(reqs))
	for _, g := range groups {
		if err := bb.predictGroup(ctx, g, reqs, out); err != nil {
			return nil, err
		}
	}
	if err := bb.postprocess(ctx, reqs, out); err != nil {
		return nil, err
	}
	return out, nil
}

// group is requests that can share a pass.
type group struct {
	adapter       *Adapter
	height, width int
	ids           []int
	inputs        []Tensor
}

func (bb *Backbone) group(ctx context.Context, reqs []Request) ([]*group, error) {
	var groups []*group
	for i, q := range reqs {
		x, err := bb.prepare(ctx, q.Image, q.Adapter)
		if err != nil {
			return nil, errors.WithMessagef(err, "image %d", i)
		}
		h, w := x.Shape[1], x.Shape[2]
		at := slices.IndexFunc(groups, func(g *group) bool { return g.adapter == q.Adapter && g.height == h && g.width == w })
		if at < 0 {
			at = len(groups)
			groups = append(groups, &group{adapter: q.Adapter, height: h, width: w})
		}
		groups[at].ids = append(groups[at].ids, i)
		groups[at].inputs = append(groups[at].inputs, x)
	}
	return groups, nil
}

// maxBatch is the most images of one pass.
const maxBatch = 32

// batchFor is the size of the pass that serves n images: a power of two, so that few sizes are ever compiled.
func batchFor(n int) int {
	b := 1
	for b < min(n, maxBatch) {
		b *= 2
	}
	return b
}

func (bb *Backbone) predictGroup(ctx context.Context, g *group, reqs []Request, out []Result) error {
	leave, err := g.adapter.enter(bb)
	if err != nil {
		return err
	}
	defer leave()
	c := nn.ForwardConfig{Height: g.height, Width: g.width, Pool: bb.host.Config().Pool, Taps: []string{nn.TapFeatures}}
	if g.adapter != nil {
		c.Task, c.Taps = g.adapter.task, []string{nn.TapFeatures, nn.TapLogits}
	}
	for len(g.ids) > 0 {
		n := min(len(g.ids), maxBatch)
		c.Batch = batchFor(n)
		err := bb.passes.use(bb.vit, c, func(f *nn.Forward) error {
			return f.Run(ctx, stack(g.inputs[:n], c.Batch), func(f *nn.Forward) error { return collect(f, g, reqs, out, n) })
		})
		if err != nil {
			return err
		}
		g.ids, g.inputs = g.ids[n:], g.inputs[n:]
	}
	return nil
}

// stack lays images side by side, padded to a batch: an image's result does not depend on its neighbours.
func stack(images []Tensor, batch int) []float32 {
	if len(images) == 1 && batch == 1 {
		return images[0].Data
	}
	n := len(images[0].Data)
	all := make([]float32, batch*n)
	for i, x := range images {
		copy(all[i*n:], x.Data)
	}
	return all
}

// collect reads the results of the first n images of a pass.
func collect(f *nn.Forward, g *group, reqs []Request, out []Result, n int) error {
	features, err := readTap(f, nn.TapFeatures)
	if err != nil {
		return err
	}
	var logits Tensor
	if g.adapter != nil {
		if logits, err = readTap(f, nn.TapLogits); err != nil {
			return err
		}
	}
	for k, id := range g.ids[:n] {
		out[id].Features = row(features, k)
		if g.adapter != nil {
			out[id].logits = row(logits, k)
			out[id].Labels = labels(g.adapter.host.Config(), out[id].logits, reqs[id].Options)
		}
	}
	return nil
}

func readTap(f *nn.Forward, name string) (Tensor, error) {
	t := Tensor{Shape: f.Shape(name)}
	t.Data = make([]float32, t.Shape.Elems())
	return t, f.Read(name, t.Data)
}

func row(t Tensor, i int) []float32 {
	n := len(t.Data) / t.Shape[0]
	return t.Data[i*n : (i+1)*n : (i+1)*n]
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
			out[i] = float32(1 / (1 + math.Exp(-float64(z))))
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
