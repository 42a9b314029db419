package tune

import (
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// Pipeline is how images become input tensors for an adapter beside a backbone. With Crop the backbone's own ratio of
// resizing to cropping is kept.
func Pipeline(c adapter.Config, mc model.Config) data.Pipeline {
	p := mc.Preprocess
	return data.Pipeline{Fit: data.Fit(c.Fit), Size: c.Size, Resize: (p.Resize*c.Size + p.Crop/2) / p.Crop,
		Interpolation: data.Interpolation(c.Interpolation), Mean: c.Mean, Std: c.Std}
}

// encoder runs images through the frozen network.
type encoder struct {
	r       *run
	ds      *data.Dataset
	fwd     *nn.Forward
	task    *nn.Task // whose branches make the features, nil for the plain backbone's
	taps    []string // features, and the input of the lowest adapted block where there is one
	input   []float32
	out     [][]float32 // by tap, a batch
	total   int
	done    int
	began   time.Time
	skipped []data.Skipped
}

// newEncoder makes the encoder of a run for images of ds. Where a new head is to go on other branches than zero ones,
// the features are those that they make.
func (r *run) newEncoder(total int, ds *data.Dataset) (e *encoder, err error) {
	c := r.encoderConfig(total)
	e = &encoder{r: r, ds: ds, taps: c.Taps, total: total, began: time.Now()}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	if r.cfg.From != nil && !r.keepsHead(ds.Classes) {
		if e.task, err = nn.NewTask(r.v, r.cfg.From); err != nil {
			return e, err
		}
		c.Task = e.task
	}
	if e.fwd, err = r.v.NewForward(c); err != nil {
		return e, err
	}
	e.input = make([]float32, e.fwd.InputShape().Elems())
	for _, t := range c.Taps {
		e.out = append(e.out, make([]float32, e.fwd.Shape(t).Elems()))
	}
	return e, nil
}

func (e *encoder) close() {
	if e.fwd != nil {
		e.fwd.Close()
	}
	if e.task != nil {
		e.task.Close()
	}
}

// encode decodes and encodes items in order. Only where keep is set are their tokens kept.
func (e *encoder) encode(items []data.Item, keep bool) (s set, err error) {
	s.truth = newTruth(e.ds)
	batch := e.fwd.InputShape()[0]
	caches := make([]*cache, len(e.taps))
	defer func() {
		if err != nil {
			for _, c := range caches {
				c.Close()
			}
		}
	}()
	for i := range e.taps {
		if i > 0 && !keep {
			continue
		}
		budget := e.r.cfg.CacheBytes
		if e.r.tokensToFile && i > 0 {
			budget = 0
		}
		if caches[i], err = newCache(len(items), len(e.out[i])/batch, budget); err != nil {
			return s, err
		}
	}
	filled := 0
	flush := func() error {
		n := filled
		filled = 0
		return e.flush(n, caches)
	}
	pipe := Pipeline(e.r.adapterConfig(nil, nil), e.r.v.Config())
	skipped, err := data.Load(e.r.ctx, items, pipe, e.r.cfg.Workers, func(i int, t tensor.Tensor) error {
		copy(e.input[filled*len(t.Data):], t.Data)
		s.add(items[i])
		s.items = append(s.items, items[i])
		if filled++; filled == batch {
			return flush()
		}
		return nil
	})
	if err == nil && filled > 0 {
		err = flush()
	}
	if err != nil {
		return s, err
	}
	e.skipped = append(e.skipped, skipped...)
	s.features = caches[0]
	if len(caches) > 1 {
		s.tokens = caches[1]
	}
	return s, nil
}

// flush runs n images of the batch and appends their rows.
func (e *encoder) flush(n int, caches []*cache) error {
	err := e.fwd.Run(e.r.ctx, e.input, func(f *nn.Forward) error {
		for i, t := range e.taps {
			if err := f.Read(t, e.out[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, c := range caches {
		if c == nil {
			continue
		}
		for k := range n {
			if err := c.add(e.out[i][k*c.width : (k+1)*c.width]); err != nil {
				return err
			}
		}
	}
	e.done += n
	elapsed := time.Since(e.began)
	e.r.progress(Event{Phase: Encode, Step: e.done, Steps: e.total, ImagesPerSec: float64(e.done) / elapsed.Seconds(),
		ETA: time.Duration(float64(elapsed) / float64(e.done) * float64(e.total-e.done))})
	return nil
}
