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
	Images          int            `json:"images"`
	Labels          []string       `json:"labels"`
	*Classification                // of a single-label task, else nil
	*Tagging                       // of a multi-label task, else nil
	Skipped         []data.Skipped `json:"skipped,omitempty"`
	// Renamed are the dataset's classes that are called differently from the labels they were scored as.
	Renamed []library.Match `json:"renamed,omitempty"`
}

// Classification is how well images get the one label that is theirs.
type Classification struct {
	Top1      float64      `json:"top1"`
	Top5      float64      `json:"top5"`
	PerClass  []ClassScore `json:"per_class"`
	Confusion [][]int      `json:"confusion"` // rows true, columns predicted, in the order of the labels
}

// Tagging is how well images get any number of labels.
type Tagging struct {
	MAP      float64    `json:"map"`       // mean average precision over the labels that any image has
	Micro    float64    `json:"micro_ap"`  // average precision of all pairs of image and label together
	F1       float64    `json:"f1"`        // mean over the same labels, at the adapter's thresholds
	PerLabel []TagScore `json:"per_label"` // in the order of the labels
}

// TagScore is one label of a Tagging. Without images of it, AP and Recall are 0 and mean nothing.
type TagScore struct {
	Label     string  `json:"label"`
	Images    int     `json:"images"` // that have it
	AP        float64 `json:"ap"`     // average precision
	Threshold float32 `json:"threshold"`
	Precision float64 `json:"precision"` // of the images whose probability reaches Threshold
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
}

// ClassScore is one class of a Classification. Precision is 0 where the class was never predicted.
type ClassScore struct {
	Label     string  `json:"label"`
	Images    int     `json:"images"`
	Recall    float64 `json:"recall"`
	Precision float64 `json:"precision"`
}

// Evaluate runs a over every image of ds, whose classes must be among the adapter's labels, by name or by
// the same words in another form, "cats" for "cat": those are listed in Renamed. A multi-label task takes a
// multi-label dataset and no other; labels that the dataset does not name are absent from all its images. Images that cannot
// be read are skipped and listed. progress, which may be nil, receives the number of images done and their total.
func (bb *Backbone) Evaluate(ctx context.Context, ds *data.Dataset, a *Adapter, progress func(done, total int)) (*Evaluation, error) {
	return bb.evaluate(ctx, ds, a, progress, nil)
}

// Examined is what an adapter makes of one labelled image.
type Examined struct {
	Path   string
	Truth  []int     // the labels that it has, by their index in the adapter's
	Scores []float32 // a probability a label
	Before []float32 // features of the plain backbone
	After  []float32 // features with the adapter
}

// Examine is Evaluate with what it found of every image, in the order of the dataset, for a report. It takes a second pass for
// the features without the adapter.
func (bb *Backbone) Examine(ctx context.Context, ds *data.Dataset, a *Adapter, progress func(done, total int)) (*Evaluation, []Examined, error) {
	list := []Examined{}
	e, err := bb.evaluate(ctx, ds, a, progress, &list)
	return e, list, err
}

// evaluate appends to examined, where that is not nil, what there is to say of each image.
func (bb *Backbone) evaluate(ctx context.Context, ds *data.Dataset, a *Adapter, progress func(done, total int), examined *[]Examined) (*Evaluation, error) {
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
	if multi := c.Task == adapter.MultiLabel; multi != ds.MultiLabel {
		return nil, errors.WithMessagef(ErrDataset, "the adapter's task is %s, expected %s", c.Task,
			map[bool]string{true: "a table of labels, such as DIR/test.csv with the header file,labels", false: "a folder for each class, the data is a table of labels"}[multi])
	}
	var read []data.Item // those that could be
	var logits [][]float32
	var pending []Tensor
	pipe := bb.pipeline(ctx, v)
	flush := func() error {
		found, err := bb.answers(ctx, pending, v.task)
		if err == nil && examined != nil {
			err = bb.examine(ctx, pending, found, examined)
		}
		for _, x := range found {
			logits = append(logits, x.logits)
		}
		pending = pending[:0]
		if progress != nil {
			progress(len(logits), len(ds.Items))
		}
		return err
	}
	skipped, err := data.Load(ctx, ds.Items, pipe, 0, func(i int, t tensor.Tensor) error {
		read = append(read, ds.Items[i])
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
	if len(read) == 0 {
		return nil, errors.WithMessagef(ErrDataset, "none of %d images can be read", len(ds.Items))
	}
	e := &Evaluation{Images: len(read), Labels: c.Labels, Skipped: skipped, Renamed: renamed}
	if ds.MultiLabel {
		e.Tagging = tagging(c, read, class, logits)
	} else {
		e.Classification = classification(c, read, class, logits)
	}
	if examined != nil {
		for i, item := range read {
			x := &(*examined)[i]
			x.Path, x.Truth, x.Scores = item.Path, truthOf(ds, item, class), scores(c.Task, logits[i])
		}
	}
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

// examine appends the features of images with and without an adapter.
func (bb *Backbone) examine(ctx context.Context, images []Tensor, found []answer, examined *[]Examined) error {
	plain, err := bb.answers(ctx, images, nil)
	if err != nil {
		return err
	}
	for i := range plain {
		*examined = append(*examined, Examined{Before: plain[i].features, After: found[i].features})
	}
	return nil
}

// truthOf are the labels that an item has; class maps the dataset's classes to labels.
func truthOf(ds *data.Dataset, item data.Item, class []int) []int {
	if !ds.MultiLabel {
		return []int{class[item.Label]}
	}
	labels := []int{}
	for _, l := range item.Labels {
		labels = append(labels, class[l])
	}
	slices.Sort(labels)
	return labels
}

// answers runs images, all of one size, through t, or plainly where that is nil, between the batches of other callers.
func (bb *Backbone) answers(ctx context.Context, images []Tensor, t *nn.Resident) (all []answer, err error) {
	c := bb.mixConfig(images[0].Shape[1], images[0].Shape[2])
	tasks := slices.Repeat([]*nn.Resident{t}, len(images))
	err = bb.withMixer(ctx, func(m *nn.Mixer) error {
		return m.Run(ctx, c, stack(images), tasks, func(f *nn.Forward, first, n int) error {
			found, err := bb.readAnswers(f, tasks[first:first+n])
			all = append(all, found...)
			return err
		})
	})
	return all, err
}

// classification scores logits; class maps the dataset's classes to labels.
func classification(c adapter.Config, items []data.Item, class []int, logits [][]float32) *Classification {
	truth := make([]int, len(items))
	for i, item := range items {
		truth[i] = class[item.Label]
	}
	e := &Classification{Top1: metrics.TopK(logits, truth, 1), Top5: metrics.TopK(logits, truth, 5), Confusion: metrics.Confusion(logits, truth, len(c.Labels))}
	for i, s := range metrics.PerClass(e.Confusion) {
		e.PerClass = append(e.PerClass, ClassScore{Label: c.Labels[i], Images: s.Samples, Recall: s.Recall, Precision: s.Precision})
	}
	return e
}

// tagging scores logits; class maps the dataset's classes to labels.
func tagging(c adapter.Config, items []data.Item, class []int, logits [][]float32) *Tagging {
	positive := make([][]bool, len(items))
	for i, item := range items {
		positive[i] = make([]bool, len(c.Labels))
		for _, l := range item.Labels {
			positive[i][class[l]] = true
		}
	}
	m := metrics.MeanAP(logits, positive)
	e := &Tagging{MAP: m.MAP, Micro: m.Micro}
	there := 0
	for l, ap := range m.PerLabel {
		column, truth := make([]float32, len(items)), make([]bool, len(items))
		for i := range items {
			column[i], truth[i] = adapter.Sigmoid(logits[i][l]), positive[i][l]
		}
		d := metrics.Decide(column, truth, c.Threshold(l))
		if ap.Positives > 0 {
			there++
			e.F1 += d.F1
		}
		e.PerLabel = append(e.PerLabel, TagScore{Label: c.Labels[l], Images: ap.Positives, AP: ap.Value, Threshold: c.Threshold(l),
			Precision: d.Precision, Recall: d.Recall, F1: d.F1})
	}
	e.F1 /= float64(max(there, 1))
	return e
}
