package tune

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// keeper writes a run's checkpoints and knows the one that it goes on from.
type keeper struct {
	Checkpoint
	fs       disk.FS
	identity identity
	resumed  *state // what the run goes on from; nil for a run from the beginning
	kept     *Progress
	failed   bool // the last checkpoint could not be written

	began, last time.Time     // of the run; of the last checkpoint
	cost        time.Duration // of that
}

// newKeeper finds the checkpoint to go on from. It returns ErrUnfinished where there is one and nobody asked for it, and
// ErrDiffers where it is that of another run.
func (r *run) newKeeper(fsys disk.FS, digest string) (*keeper, error) {
	k := &keeper{Checkpoint: r.cfg.Checkpoint, fs: fsys, began: time.Now(), last: time.Now()}
	if k.Path == "" {
		return k, nil
	}
	var err error
	if k.identity, err = newIdentity(r.v, r.cfg, digest); err != nil {
		return nil, err
	}
	if !k.Resume {
		return k, k.refuse()
	}
	name, err := newest(k.Path, func(s *state, f *checkpoint.File) error {
		if err := s.Identity.check(k.identity, k.Force); err != nil {
			return errors.WithMessagef(err, "checkpoint %s", f.Path())
		}
		k.resumed = s
		return s.load(f)
	})
	if err != nil || name == "" {
		k.resumed = nil
		return k, err
	}
	k.kept = k.resumed.progress()
	k.began = k.began.Add(-time.Duration(k.resumed.Seconds * float64(time.Second)))
	if name != k.Path {
		r.warn(fmt.Sprintf("checkpoint %s is damaged or missing, going on from the one before it: %s", k.Path, k.kept))
	}
	for _, left := range disk.Leftovers(k.Path) {
		_ = os.Remove(left) // of the process that was killed; it costs nothing but room
	}
	return k, nil
}

// refuse returns ErrUnfinished if there is a checkpoint, sound or not.
func (k *keeper) refuse() error {
	p, err := k.Unfinished()
	switch {
	case err != nil:
		return err
	case p != nil:
		return errors.WithMessagef(ErrUnfinished, "checkpoint %s, at %s", k.Path, p)
	}
	return nil
}

// checkImages makes sure that the images that could be read are as many as they were: one that became readable would
// change every batch.
func (k *keeper) checkImages(train, val int) error {
	if s := k.resumed; s != nil && (s.Train != train || s.Val != val) {
		return errors.WithMessagef(ErrDiffers, "checkpoint %s: readable images were %d to train and %d held out, are %d and %d", k.Path, s.Train, s.Val, train, val)
	}
	return nil
}

// take is the state to go on from in a phase, nil where the phase begins.
func (k *keeper) take(p Phase) *state {
	if k.resumed != nil && k.resumed.Phase == p {
		return k.resumed
	}
	return nil
}

// fitProbe fits the probe, or takes it from the checkpoint of a run that is past it.
func (r *run) fitProbe(classes []string) (*adapter.Adapter, score, error) {
	probe, err := r.start(nil, classes)
	if err != nil {
		return nil, score{}, err
	}
	s := r.keep.take(Adapter)
	if s == nil {
		return r.fit(Probe, probe, nil)
	}
	r.rep.History = s.Epoch
	probe, err = s.values(probe, groupProbe)
	return probe, s.Probe.score(), err
}

// values is a with all its tensors from a group of the checkpoint.
func (s *state) values(a *adapter.Adapter, group string) (*adapter.Adapter, error) {
	if got, want := len(s.groups[group]), len(a.Names()); got != want {
		return nil, errors.WithMessagef(checkpoint.ErrCorrupt, "checkpoint has %d tensors %s.*, expected %d", got, group, want)
	}
	a, err := a.WithTensors(s.groups[group])
	return a, errors.WithMessage(err, "checkpoint")
}

// resume puts a trainer where the checkpoint was taken, but for the task's values, with which it was made.
func (t *trainer) resume(s *state) error {
	state := map[string][]float32{}
	for name, x := range s.groups[groupOptimizer] {
		state[name] = x.Data
	}
	if err := t.opt.SetState(state); err != nil {
		return err
	}
	steps := t.r.train.n() / t.images()
	if s.At.Step > steps || s.Epochs != t.epochs {
		return errors.WithMessagef(checkpoint.ErrCorrupt, "epoch %d of %d, step %d of %d", s.At.Epoch, s.Epochs, s.At.Step, steps)
	}
	if best := len(s.groups[groupBest]); best != len(s.groups[groupNow]) && (best > 0 || s.Best.Epoch > 0) {
		return errors.WithMessagef(checkpoint.ErrCorrupt, "%d tensors of the best epoch, %d", best, s.Best.Epoch)
	}
	t.at, t.done, t.first = s.At, (s.At.Epoch-1)*steps+s.At.Step, (s.At.Epoch-1)*steps+s.At.Step
	t.best, t.kept = s.Best.score(), s.groups[groupBest]
	t.r.rep.History = s.Epoch
	return nil
}

// Limits of checkpoints that nobody asked to come at certain steps.
const (
	checkpointEvery = 15 * time.Second // inside an epoch
	checkpointShare = 20               // times what writing the last one took
)

// due reports whether it is time for a checkpoint after t's last step, or at the end of an epoch.
func (k *keeper) due(t *trainer, epochEnds bool) bool {
	since := time.Since(k.last)
	switch {
	case k.Path == "":
		return false
	case t.at.Epoch > t.epochs:
		return true // the end of a phase: its result may be hard to save
	case k.Every > 0:
		return epochEnds || t.done%k.Every == 0
	}
	return since >= checkpointShare*k.cost && (epochEnds || since >= checkpointEvery)
}

// save writes a checkpoint if one is due. One that cannot be written is a warning: the run goes on, and the last good one
// stays.
func (t *trainer) save(epochEnds bool) {
	k := t.r.keep
	if !k.due(t, epochEnds) {
		return
	}
	err := k.write(t)
	if err != nil && !k.failed {
		t.r.warn(fmt.Sprintf("no checkpoint: %v; the run goes on and tries again", err))
	}
	k.failed = err != nil
}

// write writes a checkpoint of t between two steps.
func (k *keeper) write(t *trainer) error {
	began := time.Now()
	s, err := t.state()
	if err == nil {
		err = s.write(k.fs, k.Path)
	}
	if err == nil {
		k.kept = s.progress()
	}
	k.last = time.Now()
	k.cost = k.last.Sub(began)
	return err
}

// state reads t's state back from the device.
func (t *trainer) state() (*state, error) {
	r := t.r
	s := &state{Identity: r.keep.identity, Phase: t.phase, Epochs: t.epochs, At: t.at, Best: saved(t.best), Epoch: r.rep.History,
		Train: r.train.n(), Val: r.val.n(), Seconds: time.Since(r.keep.began).Seconds()}
	now, err := t.task.Tensors()
	if err != nil {
		return nil, err
	}
	optimizer, err := t.opt.State()
	if err != nil {
		return nil, err
	}
	s.groups = map[string]tensors{groupNow: now, groupBest: t.kept, groupOptimizer: {}}
	for name, x := range optimizer {
		s.groups[groupOptimizer][name] = tensor.Tensor{Shape: tensor.Shape{len(x)}, Data: x}
	}
	if t.phase == Adapter {
		bar := saved(r.bar)
		s.Probe, s.groups[groupProbe] = &bar, tensors{}
		for _, name := range r.probe.Names() {
			s.groups[groupProbe][name] = r.probe.Tensor(name)
		}
	}
	return s, nil
}

// stopped makes of err what a cancelled run returns, after a last checkpoint where there is a trainer. What is no
// cancellation is returned as it is.
//
// Nothing is left of a run that diverged: resumed, it would diverge again.
func (r *run) stopped(err error, t *trainer) error {
	var stop *Stopped
	switch {
	case errors.As(err, &stop):
		return err
	case errors.Is(err, ErrDiverged):
		_ = r.keep.Remove() // the divergence is the error to report
		return err
	case r.ctx.Err() == nil || !errors.Is(err, r.ctx.Err()):
		return err
	}
	stop = &Stopped{Cause: r.ctx.Err()}
	if k := r.keep; k != nil && k.Path != "" {
		if t != nil {
			stop.Lost = k.write(t)
		}
		stop.Kept = k.kept
	}
	return stop
}

// warn notes something that the caller should know, and tells it at once.
func (r *run) warn(text string) {
	r.rep.Warnings = append(r.rep.Warnings, text)
	r.progress(Event{Warning: text})
}

// whole is ctx for a step: a step is taken or not, since half of one would leave statistics without their update.
func (r *run) whole() context.Context { return context.WithoutCancel(r.ctx) }
