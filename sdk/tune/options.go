package tune

import (
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Options are what distinguishes branches from the AdaptFormer paper's own; the zero value is its choice. A default leaves
// no trace in the identity of a run.
type Options struct {
	Placement    adapter.Placement  `json:",omitempty"`
	BranchNorm   adapter.BranchNorm `json:",omitempty"`
	LearnScale   bool               `json:",omitempty"` // each branch trains a scale of its own, from Scale on
	Proportional bool               `json:",omitempty"` // Bottleneck is that of the widest stage of a Swin, and the others' are in proportion
	Start        adapter.Init       `json:",omitempty"`

	// From, where it is not nil, is an adapter that training goes on from. Its branches, with all that says what they are,
	// and its pooling take the place of Method, Blocks, Bottleneck, Scale, Options and Pool. Its head stays where its labels
	// are the data's; else a new one is fitted on the features that its branches make, and the report warns of it.
	From *adapter.Adapter `json:"-"`
}

func (o Options) validate() error {
	_, err1 := adapter.ParsePlacement(o.Placement.String())
	_, err2 := adapter.ParseBranchNorm(o.BranchNorm.String())
	_, err3 := adapter.ParseInit(o.Start.String())
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			return errors.WithMessage(ErrConfig, err.Error())
		}
	}
	return nil
}

// continued is c with what From decides.
func (c Config) continued() (Config, error) {
	if c.From == nil {
		return c, nil
	}
	f := c.From.Config()
	if f.Method != adapter.AdaptFormer || c.Method != adapter.AdaptFormer {
		return c, errors.WithMessagef(ErrConfig, "method %s from an adapter of method %s: there are branches to go on from in adaptformer only", c.Method, f.Method)
	}
	c.Blocks, c.Bottleneck, c.Scale, c.Pool = f.Blocks, f.Bottleneck, f.Scale, f.Pool
	c.Options = Options{Placement: f.Placement, BranchNorm: f.Norm, LearnScale: f.LearnScale, From: c.From}
	return c, nil
}

// branches fills in what c says of branches in the given blocks.
func (r *run) branches(c adapter.Config, blocks []int) adapter.Config {
	o := r.cfg.Options
	c.Method, c.Blocks, c.Bottleneck, c.Scale, c.Dropout = adapter.AdaptFormer, blocks, r.cfg.Bottleneck, r.cfg.Scale, r.cfg.Dropout
	c.Placement, c.Norm, c.LearnScale = o.Placement, o.BranchNorm, o.LearnScale
	switch {
	case o.From != nil:
		c.Bottlenecks = o.From.Config().Bottlenecks
	case o.Proportional:
		c = c.Proportional(r.v.Config().Ref())
	}
	return c
}

// start makes the adapter that a phase begins with: branches in the given blocks, as the options say or as From has them,
// and a fresh head. fc_norm starts as the backbone's own, where there is one.
func (r *run) start(blocks []int, classes []string) (*adapter.Adapter, error) {
	a, err := adapter.NewStart(r.adapterConfig(blocks, classes), r.v.Config().Ref(), r.cfg.Seed, r.cfg.Start)
	if err != nil {
		return nil, err
	}
	from := r.v.FCNorm()
	if r.cfg.From != nil {
		from = tensorsOf(r.cfg.From)
	}
	own := tensors{}
	for _, name := range a.Names() {
		if x, ok := from[name]; ok && !strings.HasPrefix(name, "head.") {
			own[name] = x
		}
	}
	return a.WithTensors(own)
}

// tensorsOf are all tensors of a.
func tensorsOf(a *adapter.Adapter) tensors {
	all := map[string]tensor.Tensor{}
	for _, name := range a.Names() {
		all[name] = a.Tensor(name)
	}
	return all
}

// keepsHead reports whether the run goes on with From's head.
func (r *run) keepsHead(classes []string) bool {
	if r.cfg.From == nil {
		return false
	}
	c := r.cfg.From.Config()
	return slices.Equal(c.Labels, classes) && c.Task == r.adapterConfig(nil, classes).Task
}

// goOn trains From on, head included. What no epoch improves stays as it was.
func (r *run) goOn(classes []string) (*adapter.Adapter, error) {
	c := r.adapterConfig(r.cfg.Blocks, classes)
	c.HeadNorm = r.cfg.From.Config().HeadNorm
	a, err := r.cfg.From.WithConfig(c)
	if err != nil {
		return nil, err
	}
	var bar score
	if s := r.keep.take(Adapter); s != nil {
		bar = s.Probe.score()
	} else if bar, err = r.scoreOf(a); err != nil {
		return nil, err
	}
	r.rep.StartScore = bar.value
	r.rep.Parameters, r.rep.Epochs, r.rep.LR, r.rep.Batch = a.Parameters(), r.cfg.Epochs, r.cfg.LR, r.cfg.Batch
	r.probe, r.bar = a, bar
	a, best, err := r.fit(Adapter, a, &bar)
	r.rep.Score, r.rep.BestEpoch = best.value, best.epoch
	return a, err
}

// scoreOf is a's score on the validation split as it is.
func (r *run) scoreOf(a *adapter.Adapter) (s score, err error) {
	if r.val.n() == 0 {
		return s, nil
	}
	logits, err := r.logits(a, r.val)
	if err != nil {
		return s, err
	}
	value, loss := r.val.judge(logits)
	s.value, s.loss = &value, &loss
	return s, nil
}

// labelList is a list of labels for a message, cut where it is long.
func labelList(labels []string) string {
	const most = 5
	if len(labels) > most {
		return strings.Join(labels[:most], ", ") + ", ..."
	}
	return strings.Join(labels, ", ")
}
