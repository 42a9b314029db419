package tune

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// run is one tuning run.
type run struct {
	ctx      context.Context
	v        *nn.ViT
	cfg      Config
	progress func(Event)

	train, val set
	rep        *Report

	tokensToFile bool // cached tokens go to a file whatever their size

	keep  *keeper
	multi bool             // images have any number of labels
	probe *adapter.Adapter // fitted, in the adapter phase
	bar   score            // its score
}

// set is a part of the data as the trainer sees it: what enters the lowest adapted block, the pooled features, and what the
// images show.
type set struct {
	tokens, features *cache // tokens is nil for a linear probe, and for training images that are augmented
	truth
	items []data.Item // those that could be read
}

// ErrDiverged says that the loss left the range of numbers.
var ErrDiverged = errors.New("training diverged")

// Run tunes an adapter for the images of ds on v's device and returns it with the record of the run. The adapter is
// made only when the run has finished: a cancelled ctx returns Stopped, after the step under way and a checkpoint where
// cfg asks for them. progress may be nil.
//
// Images that cannot be read are skipped and listed in the report; a class that has none left is an error. The same
// configuration, data, backbone, device and driver give the same bits.
func Run(ctx context.Context, v *nn.ViT, ds *data.Dataset, cfg Config, progress func(Event)) (*adapter.Adapter, *Report, error) {
	return runOn(ctx, disk.OS, v, ds, cfg, progress)
}

// runOn is Run with its checkpoints on a file system of the caller's.
func runOn(ctx context.Context, fsys disk.FS, v *nn.ViT, ds *data.Dataset, cfg Config, progress func(Event)) (*adapter.Adapter, *Report, error) {
	mc := v.Config()
	cfg, err := cfg.complete(mc.Depth, mc.Patch, len(ds.Items), mc.Pool)
	if err != nil {
		return nil, nil, err
	}
	if ds.MultiLabel && (cfg.Balance || cfg.LabelSmoothing > 0) {
		return nil, nil, errors.WithMessage(ErrConfig, "balance and label smoothing are for images of one label each, the data has any number of them")
	}
	if cfg.From != nil {
		if err := cfg.From.CheckBackbone(mc.Ref()); err != nil {
			return nil, nil, err
		}
	}
	digest, err := ds.Digest()
	if err != nil {
		return nil, nil, err
	}
	if progress == nil {
		progress = func(Event) {}
	}
	r := &run{ctx: ctx, v: v, cfg: cfg, progress: progress, multi: ds.MultiLabel,
		rep: &Report{Backbone: mc.Name, Device: v.Backend().Info().Name, Method: string(cfg.Method), Classes: ds.Classes,
			Seed: cfg.Seed, DataDigest: digest, Optimizer: cfg.Optimizer}}
	r.rep.Metric = Top1
	if r.multi {
		r.rep.Metric = MeanAP
	}
	defer r.close()
	if r.keep, err = r.newKeeper(fsys, digest); err != nil {
		return nil, nil, err
	}
	if err := r.encode(ds); err != nil {
		return nil, nil, r.stopped(err, nil)
	}
	a, err := r.fitAll(ds.Classes)
	if err != nil {
		return nil, nil, r.stopped(err, nil)
	}
	if a, err = r.withThresholds(a); err != nil {
		return nil, nil, r.stopped(err, nil)
	}
	if a, err = r.refit(a, ds); err != nil {
		return nil, nil, r.stopped(err, nil)
	}
	r.rep.Seconds = time.Since(r.keep.began).Seconds()
	a, err = a.WithRecord(r.record())
	return a, r.rep, err
}

func (r *run) close() {
	for _, s := range []set{r.train, r.val} {
		s.tokens.Close()
		s.features.Close()
	}
}

// encode splits the data, decodes every image and runs it through the frozen network once.
func (r *run) encode(ds *data.Dataset) error {
	train, val, warnings := ds.StratifiedSplit(r.cfg.Val, r.cfg.Seed)
	for _, w := range warnings {
		r.warn(w)
	}
	var err error
	if r.rep.Memory, err = r.plan(len(train), len(val)); err != nil {
		return err
	}
	r.progress(Event{Phase: Encode, Memory: &r.rep.Memory})
	if r.cfg.From != nil && !r.keepsHead(ds.Classes) {
		r.warn(fmt.Sprintf("the adapter to go on from has the labels %s, the data %s: its head is made anew",
			labelList(r.cfg.From.Config().Labels), labelList(ds.Classes)))
	}
	enc, err := r.newEncoder(len(train)+len(val), ds)
	if err != nil {
		return err
	}
	defer enc.close()
	if r.train, err = enc.encode(train, !r.cfg.Augment.Any()); err != nil {
		return err
	}
	if r.val, err = enc.encode(val, true); err != nil {
		return err
	}
	r.rep.Skipped = enc.skipped
	r.rep.Train, r.rep.Val = r.train.n(), r.val.n()
	if err := r.keep.checkImages(r.rep.Train, r.rep.Val); err != nil {
		return err
	}
	return r.checkClasses(ds.Classes)
}

// checkClasses makes sure that every class has a readable training image.
func (r *run) checkClasses(classes []string) error {
	for i, n := range r.train.counts() {
		if n == 0 {
			return errors.WithMessagef(data.ErrDataset, "class %q has no readable training image (%d images skipped)", classes[i], len(r.rep.Skipped))
		}
	}
	r.cfg.Batch = min(r.cfg.Batch, r.train.n())
	r.cfg.Accumulate = min(r.cfg.Accumulate, r.train.n()/r.cfg.Batch)
	return nil
}

// fitAll fits the probe and, unless the method is linear, the adapter.
func (r *run) fitAll(classes []string) (*adapter.Adapter, error) {
	if r.keepsHead(classes) {
		return r.goOn(classes)
	}
	probe, bar, err := r.fitProbe(classes)
	if err != nil {
		return nil, err
	}
	r.rep.ProbeScore, r.rep.Score = bar.value, bar.value
	r.rep.Parameters = probe.Parameters()
	if r.cfg.Method == adapter.Linear {
		r.rep.BestEpoch, r.rep.Epochs, r.rep.LR, r.rep.Batch = bar.epoch, r.cfg.ProbeEpochs, r.cfg.ProbeLR, r.cfg.Batch
		return probe, nil
	}
	a, err := r.start(r.cfg.Blocks, classes)
	if err != nil {
		return nil, err
	}
	head, err := r.temperedHead(probe)
	if err != nil {
		return nil, err
	}
	if a, err = a.WithTensors(head); err != nil {
		return nil, err
	}
	r.rep.Parameters, r.rep.Epochs, r.rep.LR, r.rep.Batch = a.Parameters(), r.cfg.Epochs, r.cfg.LR, r.cfg.Batch
	bar.epoch = 0
	r.probe, r.bar = probe, bar
	a, best, err := r.fit(Adapter, a, &r.bar)
	if err != nil {
		return nil, err
	}
	r.rep.Score, r.rep.BestEpoch = best.value, best.epoch
	switch {
	case best.epoch > 0:
		return a, nil
	case r.cfg.From != nil:
		return a.WithTensors(tensorsOf(probe)) // which was fitted on the features of the branches that it went on from
	}
	return probe, nil // the branches never helped: the file need not carry them
}

func (r *run) adapterConfig(blocks []int, classes []string) adapter.Config {
	p := r.v.Config().Preprocess
	c := adapter.Config{Method: adapter.Linear, Pool: r.cfg.Pool, Size: r.cfg.Size, Fit: r.cfg.Fit, Interpolation: p.Interpolation,
		Mean: p.Mean, Std: p.Std, Labels: slices.Clone(classes), Task: r.kind(), HeadNorm: true,
		Name: r.cfg.Name, Description: r.cfg.Description, Tags: r.cfg.Tags}
	if len(blocks) > 0 {
		c = r.branches(c, blocks)
	}
	return c
}

// kind is the task that the data is for.
func (r *run) kind() adapter.Task {
	if r.multi {
		return adapter.MultiLabel
	}
	return adapter.SingleLabel
}

// score is how good the parameters after an epoch are.
type score struct {
	epoch       int
	value, loss *float64 // on the validation split, nil without one
}

// better orders epochs: higher score, then lower loss; without a validation split the later one.
func (s score) better(than score) bool {
	if s.value == nil || than.value == nil {
		return true
	}
	if *s.value != *than.value {
		return *s.value > *than.value
	}
	return *s.loss < *than.loss
}

// clearly reports whether s is better than bar by more than a standard error of bar's score on n images: the rule by which a
// simpler model is kept (Breiman, Friedman, Olshen and Stone, 1984).
func (s score) clearly(than score, n int) bool {
	if s.value == nil || than.value == nil {
		return true
	}
	p := *than.value
	return *s.value > p+math.Sqrt(p*(1-p)/float64(n))
}

// fit trains from a's values and returns the adapter of the best epoch with its score. bar, if there is one, is the
// score to beat, with which a itself wins if no epoch is better; a probe has to be beaten clearly.
func (r *run) fit(phase Phase, a *adapter.Adapter, bar *score) (*adapter.Adapter, score, error) {
	t, err := r.newTrainer(phase, a, bar)
	if err != nil {
		return nil, score{}, err
	}
	defer t.close()
	for epoch := t.at.Epoch; epoch <= t.epochs; epoch++ {
		stat, err := t.epoch(epoch)
		if err != nil {
			return nil, score{}, r.stopped(err, t)
		}
		r.rep.History = append(r.rep.History, stat)
		now := score{epoch: epoch, value: stat.ValScore, loss: stat.ValLoss}
		wins := t.best.epoch == 0 && bar == nil || now.better(t.best)
		if t.best.epoch == 0 && bar == &r.bar && r.cfg.From == nil {
			wins = now.clearly(t.best, r.val.n()) // than the probe
		}
		if wins {
			t.best = now
			if t.kept, err = t.task.Tensors(); err != nil {
				return nil, score{}, err
			}
		}
		t.at = cursor{Epoch: epoch + 1}
		t.save(true)
	}
	if phase == Adapter {
		r.rep.ImagesPerSec = t.speed()
	}
	if t.kept == nil {
		return a, t.best, nil
	}
	a, err = a.WithTensors(t.kept)
	return a, t.best, err
}

// trainer runs the epochs of one phase.
type trainer struct {
	r            *run
	phase        Phase
	task         *nn.Task
	opt          *nn.Optimizer
	step         *nn.Step
	eval         *nn.Forward
	views        *viewer // of training images, nil where they are not augmented
	epochs       int
	rate, warmup float64
	batch, runs  int // images a run of the step, and runs an update
	input        []float32
	targets      nn.Targets
	done, first  int // steps, and those of them that another process did
	began        time.Time

	at   cursor
	best score
	kept tensors // of the best epoch, nil where that is the bar
}

// newTrainer makes the trainer of a phase, at its beginning or where the checkpoint was taken. bar is as in fit.
func (r *run) newTrainer(phase Phase, a *adapter.Adapter, bar *score) (t *trainer, err error) {
	t = &trainer{r: r, phase: phase, runs: r.cfg.accumulate(phase), epochs: r.cfg.Epochs, rate: r.cfg.LR, batch: r.cfg.Batch, began: time.Now(), at: cursor{Epoch: 1}}
	if bar != nil {
		t.best = *bar
	}
	if phase == Probe {
		t.epochs, t.rate = r.cfg.ProbeEpochs, r.cfg.ProbeLR
	}
	t.warmup = r.cfg.Warmup * float64(t.epochs)
	defer func() {
		if err != nil {
			t.close()
		}
	}()
	saved := r.keep.take(phase)
	if saved != nil {
		if a, err = saved.values(a, groupNow); err != nil {
			return t, err
		}
	}
	if t.task, err = nn.NewTask(r.v, a); err != nil {
		return t, err
	}
	if t.opt, err = nn.NewOptimizer(r.v, t.task, r.cfg.optimizer(phase)); err != nil {
		return t, err
	}
	if t.step, err = r.v.NewStep(t.task, t.opt, r.stepConfig(t.batch, phase)); err != nil {
		return t, err
	}
	if t.eval, err = r.v.NewForward(r.evalConfig(t.task, t.batch)); err != nil {
		return t, err
	}
	if phase == Adapter && r.cfg.Augment.Any() {
		if t.views, err = r.newViewer(t.batch); err != nil {
			return t, err
		}
	}
	t.input = make([]float32, t.step.InputSize())
	if saved != nil {
		err = t.resume(saved)
	}
	return t, err
}

func (t *trainer) close() {
	if t.eval != nil {
		t.eval.Close()
	}
	if t.views != nil {
		t.views.fwd.Close()
	}
	if t.step != nil {
		t.step.Close()
	}
	if t.opt != nil {
		t.opt.Close()
	}
	if t.task != nil {
		t.task.Close()
	}
}

// inputs is what enters the step of this phase.
func (t *trainer) inputs(s set) *cache {
	if t.phase == Probe {
		return s.features
	}
	return s.tokens
}

// images is their number in an update.
func (t *trainer) images() int { return t.batch * t.runs }

// speed is training images a second so far, validation included.
func (t *trainer) speed() float64 {
	return float64((t.done-t.first)*t.images()) / time.Since(t.began).Seconds()
}

// epoch trains on a fresh order of the images, an incomplete last batch left out, and scores the validation split.
func (t *trainer) epoch(epoch int) (EpochStat, error) {
	began := time.Now()
	order := t.r.order(epoch + t.salt())
	n := t.images()
	steps := len(order) / n
	stat := EpochStat{Phase: t.phase, Epoch: epoch}
	for s := t.at.Step; s < steps; s++ {
		if err := t.r.ctx.Err(); err != nil {
			return stat, err
		}
		stat.LR = t.rateOf(t.done, steps)
		l, hits, err := t.train(order[s*n:(s+1)*n], epoch, stat.LR)
		if err != nil {
			return stat, err
		}
		if math.IsNaN(l) || math.IsInf(l, 0) {
			return stat, errors.WithMessagef(ErrDiverged, "%s: loss %g in epoch %d at learning rate %.3g, try a lower one", t.phase, l, epoch, stat.LR)
		}
		t.done++
		t.at = cursor{Epoch: epoch, Step: s + 1, Loss: t.at.Loss + l, Correct: t.at.Correct + hits}
		stat.Loss, stat.Accuracy = t.at.means(n * t.r.train.decisions())
		if s < steps-1 {
			t.report(stat, steps, nil)
			t.save(false)
		}
	}
	stat.LR = t.rateOf(t.done-1, steps) // a run may resume after the last step
	stat.Loss, stat.Accuracy = t.at.means(n * t.r.train.decisions())
	if t.r.val.n() > 0 {
		logits, err := t.r.infer(t.eval, t.inputs(t.r.val), t.r.val.truth.labels)
		if err != nil {
			return stat, err
		}
		value, valLoss := t.r.val.judge(logits)
		if !finite(valLoss) {
			valLoss = math.MaxFloat64 // JSON has neither infinity nor NaN
		}
		stat.ValScore, stat.ValLoss = &value, &valLoss
	}
	stat.Seconds = time.Since(began).Seconds()
	t.report(stat, steps, &stat)
	return stat, nil
}

// order is that of the training images in an epoch.
func (r *run) order(epoch int) []int {
	if r.cfg.Balance {
		return data.BalancedShuffle(r.train.classes, r.cfg.Seed, epoch)
	}
	return data.Shuffle(r.train.n(), r.cfg.Seed, epoch)
}

// rateOf is the learning rate of a step, counted from 0 over the phase.
func (t *trainer) rateOf(step, steps int) float64 {
	return rate(float64(step)/float64(steps), t.rate, t.warmup, float64(t.epochs))
}

// salt keeps the orders of the two phases apart.
func (t *trainer) salt() int {
	if t.phase == Probe {
		return 1 << 20
	}
	return 0
}

func (t *trainer) report(stat EpochStat, steps int, done *EpochStat) {
	total := steps * t.epochs
	eta := time.Duration(float64(time.Since(t.began)) / float64(max(t.done-t.first, 1)) * float64(total-t.done))
	t.r.progress(Event{Phase: t.phase, Epoch: stat.Epoch, Epochs: t.epochs, Step: t.done, Steps: total, Loss: stat.Loss,
		Accuracy: stat.Accuracy, ImagesPerSec: t.speed(), ETA: eta, Done: done})
}

// train takes one step on the images ids and returns the mean loss and the number of right decisions before it.
func (t *trainer) train(ids []int, epoch int, lr float64) (loss float64, correct int, err error) {
	for k := range t.runs {
		l, n, err := t.run(ids[k*t.batch:(k+1)*t.batch], epoch, lr, dropoutKey(t.r.cfg.Seed, t.done*t.runs+k))
		if err != nil {
			return 0, 0, err
		}
		loss, correct = loss+l/float64(t.runs), correct+n
	}
	return loss, correct, nil
}

// run is train for a batch.
func (t *trainer) run(ids []int, epoch int, lr float64, key int32) (loss float64, correct int, err error) {
	if t.views != nil {
		err = t.views.encode(ids, epoch, t.input)
	} else {
		err = t.inputs(t.r.train).gather(ids, t.input)
	}
	if err != nil {
		return 0, 0, err
	}
	y := t.r.train.truth
	t.targets = y.targets(ids, t.targets)
	loss, logits, err := t.step.Run(t.r.whole(), t.input, t.targets, float32(lr), key)
	if err != nil {
		return 0, 0, err
	}
	for k, i := range ids {
		correct += y.correct(i, logits[k*y.labels:(k+1)*y.labels])
	}
	return loss, correct, nil
}

// dropoutKey is the key of a step's dropout masks: splitmix64's finaliser over seed and step.
func dropoutKey(seed uint64, step int) int32 {
	z := seed + uint64(step+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int32(uint32(z ^ z>>31))
}

// argmax is the index of the largest score; of equal ones the lowest.
func argmax(z []float32) int {
	best := 0
	for i, v := range z {
		if v > z[best] {
			best = i
		}
	}
	return best
}

func crossEntropy(z []float32, label int) float64 {
	top := float64(slices.Max(z))
	var sum float64
	for _, v := range z {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum) - float64(z[label])
}

// String is one line for a log.
func (s EpochStat) String() string {
	text := fmt.Sprintf("%-7s epoch %3d  loss %.4f  train %.1f%%", s.Phase, s.Epoch, s.Loss, 100*s.Accuracy)
	if s.ValScore != nil {
		text += fmt.Sprintf("  val %.1f%% (loss %.4f)", 100**s.ValScore, *s.ValLoss)
	}
	return text + fmt.Sprintf("  lr %.2g  %.1fs", s.LR, s.Seconds)
}
