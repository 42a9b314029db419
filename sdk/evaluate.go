package sdk

import (
	"context"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/library"
	"github.com/edgeadapt/edgeadapt/sdk/metrics"
	"github.com/pkg/errors"
)

// Evaluation is how well an adapter does on labelled images.
type Evaluation struct {
	Images    int            `json:"images"`
	Top1      float64        `json:"top1"`
	Top5      float64        `json:"top5"`
	PerClass  []ClassScore   `json:"per_class"`
	Labels    []string       `json:"labels"`    // rows and columns of Confusion
	Confusion [][]int        `json:"confusion"` // rows true, columns predicted
	Skipped   []data.Skipped `json:"skipped,omitempty"`
	// Renamed are the dataset's classes that are called differently from the labels they were scored as.
	Renamed []library.Match `json:"renamed,omitempty"`
}

// ClassScore is one class of an Evaluation. Precision is 0 where the class was never predicted.
type ClassScore struct {
	Label     string  `json:"label"`
	Images    int     `json:"images"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
}

// Evaluate runs a over every image of ds, whose classes must be among the adapter's labels, by name or by
// the same words in another form, "cats" for "cat": those are listed in Renamed. Images that cannot
// be read are skipped and listed. progress, which may be nil, receives the number of images done and their total.
func (bb *Backbone) Evaluate(ctx context.Context, ds *data.Dataset, a *Adapter, progress func(done, total int)) (*Evaluation, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	v, leaveAdapter, err := a.enter(bb)
	if err != nil {
		return nil, err
	}
	defer leaveAdapter()
	c := v.config()
	class, renamed, err := mapClasses(ds.Classes, c.Labels)
	if err != nil {
		return nil, err
	}
	var truth []int
	var scores [][]float32
	var pending []Tensor
	pipe := bb.pipeline(ctx, v)
	flush := func() error {
		rows, err := bb.logits(ctx, pending, v.task)
		scores = append(scores, rows...)
		pending = pending[:0]
		if progress != nil {
			progress(len(scores), len(ds.Items))
		}
		return err
	}
	skipped, err := data.Load(ctx, ds.Items, pipe, 0, func(i int, t tensor.Tensor) error {
		truth = append(truth, class[ds.Items[i].Label])
		if pending = append(pending, t); len(pending) == nn.MaxBatch {
			return flush()
		}
		return nil
	})
	if err == nil && len(pending) > 0 {
		err = flush()
	}
	if err != nil {
		return nil, err
	}
	if len(truth) == 0 {
		return nil, errors.WithMessagef(ErrDataset, "none of %d images can be read", len(ds.Items))
	}
	e := evaluation(c, truth, scores, skipped)
	e.Renamed = renamed
	return e, nil
}

// mapClasses finds each class of a dataset among the adapter's labels, by name or else by its Porter stems.
func mapClasses(classes, labels []string) (index []int, renamed []library.Match, err error) {
	matches, err := library.MatchLabels(classes, labels)
	if err != nil {
		return nil, nil, errors.WithMessagef(ErrDataset, "class %v", err)
	}
	for _, m := range matches {
		index = append(index, m.Index)
		if m.Name != m.Label {
			renamed = append(renamed, m)
		}
	}
	return index, renamed, nil
}

// logits runs images, all of one size, through t, between the batches of other callers.
func (bb *Backbone) logits(ctx context.Context, images []Tensor, t *nn.Resident) (rows [][]float32, err error) {
	c := bb.mixConfig(images[0].Shape[1], images[0].Shape[2])
	tasks := slices.Repeat([]*nn.Resident{t}, len(images))
	err = bb.withMixer(ctx, func(m *nn.Mixer) error {
		return m.Run(ctx, c, stack(images), tasks, func(f *nn.Forward, first, n int) error {
			answers, err := bb.readAnswers(f, tasks[first:first+n])
			for _, a := range answers {
				rows = append(rows, a.logits)
			}
			return err
		})
	})
	return rows, err
}

func evaluation(c adapter.Config, truth []int, scores [][]float32, skipped []data.Skipped) *Evaluation {
	e := &Evaluation{Images: len(truth), Labels: c.Labels, Skipped: skipped,
		Top1: metrics.TopK(scores, truth, 1), Top5: metrics.TopK(scores, truth, 5), Confusion: metrics.Confusion(scores, truth, len(c.Labels))}
	for i, l := range c.Labels {
		s := ClassScore{Label: l}
		predicted := 0
		for j := range c.Labels {
			s.Images += e.Confusion[i][j]
			predicted += e.Confusion[j][i]
		}
		if s.Images > 0 {
			s.Recall = float64(e.Confusion[i][i]) / float64(s.Images)
		}
		if predicted > 0 {
			s.Precision = float64(e.Confusion[i][i]) / float64(predicted)
		}
		e.PerClass = append(e.PerClass, s)
	}
	return e
}
