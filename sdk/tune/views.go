package tune

import (
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// viewer makes the inputs of training steps of augmented images: decodes them, varies them and runs what is frozen below the
// lowest adapted block.
type viewer struct {
	r     *run
	pipe  data.Pipeline
	fwd   *nn.Forward
	tap   string
	input []float32
}

func (r *run) newViewer(batch int) (*viewer, error) {
	c := r.viewConfig(batch)
	f, err := r.v.NewForward(c)
	if err != nil {
		return nil, err
	}
	return &viewer{r: r, pipe: Pipeline(r.adapterConfig(nil, nil), r.v.Config()), fwd: f, tap: c.Taps[0],
		input: make([]float32, f.InputShape().Elems())}, nil
}

// encode writes what enters the step for variants of the images ids to dst. The variants depend on seed, epoch and image.
func (w *viewer) encode(ids []int, epoch int, dst []float32) error {
	items := make([]data.Item, len(ids))
	for k, i := range ids {
		items[k] = w.r.train.items[i]
	}
	seed := func(k int) uint64 { return viewSeed(w.r.cfg.Seed, epoch, ids[k]) }
	size := len(w.input) / len(ids)
	skipped, err := data.LoadViews(w.r.whole(), items, w.pipe, w.r.cfg.Augment, w.r.cfg.Workers, seed, func(k int, t tensor.Tensor) error {
		copy(w.input[k*size:], t.Data)
		return nil
	})
	if err != nil {
		return err
	}
	if len(skipped) > 0 {
		return errors.WithMessagef(data.ErrDataset, "image %s could be read at the beginning, and now: %s", skipped[0].Path, skipped[0].Reason)
	}
	return w.fwd.Run(w.r.whole(), w.input, func(f *nn.Forward) error { return f.Read(w.tap, dst) })
}

// viewSeed is the seed of an image's variant in an epoch: splitmix64 over the three.
func viewSeed(seed uint64, epoch, image int) uint64 {
	z := seed
	for _, x := range []int{epoch, image} {
		z += uint64(x+1) * 0x9E3779B97F4A7C15
		z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
		z = (z ^ z>>27) * 0x94D049BB133111EB
		z ^= z >> 31
	}
	return z
}
