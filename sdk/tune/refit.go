package tune

import (
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// refit fits the head of a probe again, by the same recipe and on all images: those held out have chosen it, and now they
// may teach it too. The head is then, to the bit, that of a run without a split. Its scores and thresholds stay those of the probe that had not seen them. An adapter with branches is
// returned as it is: it would cost another run.
//
// It takes seconds, so it leaves no checkpoint of its own: a run that is stopped here fits again when it is resumed.
func (r *run) refit(a *adapter.Adapter, ds *data.Dataset) (*adapter.Adapter, error) {
	if a.Config().Method != adapter.Linear || r.cfg.From != nil || r.val.n() == 0 {
		return a, nil
	}
	all, err := r.joined(ds.Items)
	if err != nil {
		return nil, err
	}
	defer all.features.Close()
	on := *r
	on.train, on.val, on.rep, on.keep = all, set{}, &Report{}, &keeper{}
	on.progress = func(Event) {}
	fresh, err := on.start(nil, r.rep.Classes)
	if err != nil {
		return nil, err
	}
	if fresh, _, err = on.fit(Probe, fresh, nil); err != nil {
		return nil, r.stopped(cause(err), nil)
	}
	r.rep.Refit, r.rep.Judged = all.n(), a
	return a.WithTensors(tensorsOf(fresh))
}

// cause is what a run of its own was stopped by: the checkpoint to go on from is the outer run's.
func cause(err error) error {
	if stop, ok := err.(*Stopped); ok {
		return stop.Cause
	}
	return err
}

// joined is the images of both sets in the order of the data, as a run without a split has them, with their pooled features.
func (r *run) joined(items []data.Item) (set, error) {
	all := set{truth: truth{multi: r.train.multi, labels: r.train.labels}}
	var err error
	if all.features, err = newCache(r.train.n()+r.val.n(), r.train.features.width, featureBytes); err != nil {
		return all, err
	}
	row := make([]float32, r.train.features.width)
	for at := [2]int{}; len(items) > 0; items = items[1:] {
		for i, s := range []set{r.train, r.val} { // both are in the order of the data, less what could not be read
			k := at[i]
			if k == s.n() || s.items[k].Path != items[0].Path {
				continue
			}
			at[i]++
			all.add(items[0])
			if err = s.features.read(k, row); err == nil {
				err = all.features.add(row)
			}
			if err != nil {
				all.features.Close()
				return all, err
			}
			break
		}
	}
	return all, nil
}

// featureBytes bounds the copy of the features that stays in memory: those of 80,000 images of a ViT-S.
const featureBytes = 256 << 20
