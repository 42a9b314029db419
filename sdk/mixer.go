package sdk

import (
	"context"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
)

// mixConfig is what predictions ask of images of a size.
func (bb *Backbone) mixConfig(height, width int) nn.MixConfig {
	return nn.MixConfig{Height: height, Width: width, Pool: bb.host.Config().Pool, Taps: []string{nn.TapFeatures, nn.TapLogits}}
}

// runJobs is one batch of the scheduler.
func (bb *Backbone) runJobs(ctx context.Context, batch []*job) error {
	if len(batch) == 0 {
		return nil
	}
	s := batch[0].input.Shape
	inputs, tasks := make([]Tensor, len(batch)), make([]*nn.Resident, len(batch))
	for i, j := range batch {
		inputs[i], tasks[i] = j.input, j.task
	}
	return bb.withMixer(ctx, func(m *nn.Mixer) error {
		return m.Run(ctx, bb.mixConfig(s[1], s[2]), stack(inputs), tasks, func(f *nn.Forward, first, n int) error {
			a, err := bb.readAnswers(f, tasks[first:first+n])
			for i := range a {
				batch[first+i].answer = a[i]
			}
			return err
		})
	})
}

// answer is what a pass gives for one image.
type answer struct{ features, logits []float32 }

// readAnswers reads the features, and where there is a task the logits, of the images of a pass.
func (bb *Backbone) readAnswers(f *nn.Forward, tasks []*nn.Resident) ([]answer, error) {
	features, err := readTap(f, nn.TapFeatures)
	if err != nil {
		return nil, err
	}
	var logits Tensor
	if slices.ContainsFunc(tasks, func(t *nn.Resident) bool { return t != nil }) {
		if logits, err = readTap(f, nn.TapLogits); err != nil {
			return nil, err
		}
	}
	out := make([]answer, len(tasks))
	for i, t := range tasks {
		if t == nil {
			out[i].features = slices.Clone(row(features, i)[:bb.featureWidth()])
			continue
		}
		out[i].features = slices.Clone(row(features, i)[:t.Features()])
		out[i].logits = slices.Clone(row(logits, i)[:t.Classes()])
	}
	return out, nil
}

// featureWidth is the width of the plain backbone's features.
func (bb *Backbone) featureWidth() int {
	c := bb.host.Config()
	if c.Pool == adapter.PoolCLSMean {
		return 2 * c.FeatureDim()
	}
	return c.FeatureDim()
}

// stack lays images of one size side by side.
func stack(images []Tensor) []float32 {
	if len(images) == 1 {
		return images[0].Data
	}
	var all []float32
	for _, x := range images {
		all = append(slices.Grow(all, len(images)*len(x.Data)), x.Data...)
	}
	return all
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

// Stats says which adapters are on the device and how well they stay there.
type Stats struct {
	Residents int    `json:"residents"`  // adapters on the device
	Bytes     int64  `json:"bytes"`      // that they take there
	Budget    int64  `json:"budget"`     // bytes that they may take beside each backbone
	Hits      uint64 `json:"hits"`       // uses of an adapter that was on the device
	Misses    uint64 `json:"misses"`     // uses that had to bring it there
	Evictions uint64 `json:"evictions"`  // adapters that made room for others
	InHost    int    `json:"in_host"`    // adapters with a copy in host memory, on the device or not
	InFile    int    `json:"in_file"`    // adapters that are only in their file
	FileReads uint64 `json:"file_reads"` // uses that had to read the file again
	Waiting   int    `json:"waiting"`    // images that wait for their pass, or are decoded and resized for it
	Losses    uint64 `json:"losses"`     // times that a device was lost and replaced
}

// Stats sums up the adapters of all backbones. It does not wait for passes under way.
func (rt *Runtime) Stats() Stats {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	s := Stats{Budget: rt.opt.budget}
	for _, seat := range rt.seats {
		seat.mu.Lock()
		s.Losses += seat.losses
		seat.mu.Unlock()
	}
	for _, bb := range rt.backbones {
		if m := bb.stats.Load(); m != nil {
			s.Residents += m.Residents
			s.Bytes += m.Bytes
			s.Hits += m.Hits
			s.Misses += m.Misses
			s.Evictions += m.Evictions
		}
		bb.pages.count(&s)
		bb.sched.mu.Lock()
		s.Waiting += bb.sched.waiting + bb.sched.preparing
		bb.sched.mu.Unlock()
	}
	return s
}
