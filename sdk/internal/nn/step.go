package nn

import (
	"context"
	"fmt"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// StepConfig says what a training step computes.
type StepConfig struct {
	Batch, Height, Width int
	Dropout              bool    // as the task's configuration says; off for comparisons with a reference
	LabelSmoothing       float32 // of single-label tasks, from 0 below 1
	ClipNorm             float32 // bound on the norm of all gradients together, 0 for none
	// Accumulate, above 1, makes one update of the mean gradients of so many runs.
	Accumulate int
	// Recompute keeps of each block no more than its input and runs it forward again on the way back: the same bits in less
	// memory, for most of another forward pass.
	Recompute bool
	// Gradients keeps the gradients of the logits, the features and every block's input for reading, carries the
	// backward pass down to the image tokens and updates nothing: for comparisons with a reference.
	Gradients bool
}

// Step is a compiled training step: forward, loss, backward and optimiser in one run on the device. What comes in
// depends on the task: the tokens that enter the lowest block with a branch, since blocks below it never change; the
// pooled features where there is no branch; images where Gradients asks for the whole way.
// One goroutine at a time.
type Step struct {
	task *Task
	opt  *Optimizer
	from Entry
	exec backend.Executable

	input, target, lr, key backend.Value // lr and key are None where the Program has no use for them
	loss, logits           backend.Value
	shape                  tensor.Shape // of input
	multi                  bool         // labels are flags

	taps   map[string]backend.Value
	shapes map[string]tensor.Shape

	sum *accumulation // nil where each run updates

	losses, scores []float32 // what the last Run gave
	keys           [1]int32
}

// NewStep records and compiles a training step for t.
func (v *ViT) NewStep(t *Task, o *Optimizer, c StepConfig) (*Step, error) {
	sum, err := v.newAccumulation(t, o, c)
	if err != nil {
		return nil, err
	}
	s, prog, err := v.recordStep(t, o, c, sum)
	if err == nil {
		s.exec, err = v.be.Compile(prog)
	}
	if err != nil {
		sum.close()
		return nil, err
	}
	return s, nil
}

// StepFootprint is the memory that the step would take, the kernels' own scratch left out; see Program.Footprint.
func (v *ViT) StepFootprint(t *Task, o *Optimizer, c StepConfig) (int64, error) {
	sum, err := v.newAccumulation(t, o, c)
	if err != nil {
		return 0, err
	}
	defer sum.close()
	_, prog, err := v.recordStep(t, o, c, sum)
	if err != nil {
		return 0, err
	}
	bytes, err := prog.Footprint()
	if sum != nil {
		bytes += 4 * int64(t.Size())
	}
	return bytes, err
}

func (v *ViT) recordStep(t *Task, o *Optimizer, c StepConfig, sum *accumulation) (*Step, *backend.Program, error) {
	s := &Step{task: t, opt: o, sum: sum, from: t.Entry(v.cfg.Depth), multi: t.cfg.Task == adapter.MultiLabel,
		losses: make([]float32, c.Batch), scores: make([]float32, c.Batch*len(t.cfg.Labels)),
		taps: map[string]backend.Value{}, shapes: map[string]tensor.Shape{}}
	if c.Gradients {
		s.from = Images
	}
	fc := ForwardConfig{Batch: c.Batch, Height: c.Height, Width: c.Width, From: s.from, Task: t}
	p := newPass(v, fc)
	p.grads = o.grads
	r := p.r
	if c.Dropout && t.cfg.Dropout > 0 && len(t.cfg.Blocks) > 0 {
		s.key = r.InputInts("dropout key", 1)
		p.key = s.key
	}
	s.input = p.input()
	features := p.run(s.input)
	dlogits, dfeatures := s.head(p, features, c)
	if dfeatures != backend.None {
		p.backward(s, dfeatures, c)
	}
	if c.Gradients {
		s.keep(p, "dlogits", dlogits)
		s.keep(p, "dfeatures", dfeatures)
	} else if sum != nil {
		sum.add(r, o)
	} else {
		s.lr = o.update(r, t, o.grads, c.ClipNorm)
	}
	if c.Recompute {
		r.Prune() // what follows a block's state in its second run
	}
	prog, err := r.Finish()
	if err != nil {
		return nil, nil, err
	}
	s.shape = prog.Shape(s.input)
	for name, tap := range s.taps {
		s.shapes[name] = p.imageShape(name, prog.Shape(tap))
	}
	return s, prog, nil
}

// head records the head, the loss and their gradients.
func (s *Step) head(p *pass, features backend.Value, c StepConfig) (dlogits, dfeatures backend.Value) {
	r, t := p.r, s.task
	count := c.Batch * s.sum.count()
	logits, state := t.head(r, features, true)
	if s.multi {
		s.target = r.Input("target", c.Batch, len(t.cfg.Labels))
		s.loss, dlogits = r.BinaryCrossEntropy(logits, s.target, 1/float32(count*len(t.cfg.Labels)))
	} else {
		s.target = r.InputInts("target", c.Batch)
		s.loss, dlogits = r.CrossEntropy(logits, s.target, 1/float32(count), c.LabelSmoothing)
	}
	r.Output(s.loss, "loss")
	s.logits = r.Output(logits, "logits_train")
	dfeatures = t.headBackward(r, state, dlogits, p.grads, s.from != Features || t.hasFCNorm())
	s.taps["logits_train"] = s.logits
	return dlogits, dfeatures
}

// backward records the gradients of fc_norm, and the way from the features down to the lowest block with a branch, where it stops: nothing below is
// trained. With Gradients it goes on to the tokens that enter block 0.
func (p *pass) backward(s *Step, dfeatures backend.Value, c StepConfig) {
	r, v, prefix := p.r, p.v, p.v.cfg.PrefixTokens()
	d := dfeatures
	if t := p.c.Task; t.hasFCNorm() {
		r.LayerNormGrad(p.pooled, p.final, d, t.layout.param(r, p.grads, "fc_norm.weight"), t.layout.param(r, p.grads, "fc_norm.bias"))
		if s.from == Features {
			return
		}
		d = r.LayerNormTrainedBackward(p.pooled, t.fcNorm(r), p.final, d, backend.None)
	}
	g := r.PoolBackward(d, p.last, poolMode(p.c.Task.cfg.Pool), p.c.Batch, prefix)
	if !p.c.Task.hasFCNorm() {
		g = r.LayerNormBackward(p.last, v.norm, p.final, g, backend.None)
	}
	lowest := p.c.Task.firstBlock(v.cfg.Depth)
	for i := v.cfg.Depth - 1; i >= p.c.From.block(v.cfg.Depth); i-- {
		if c.Recompute && i > lowest && i < v.cfg.Depth-1 { // of the last block all is still there, of the lowest little is kept
			p.block(i, p.states[i].x)
		}
		var d *branchGrad
		if br := p.c.Task.branchAt(i); br != nil {
			br.grads, br.dropout.P = p.grads, p.dropoutP()
			d = br.backward(r, p.states[i].branch, g)
		}
		if i == lowest && !c.Gradients {
			return
		}
		g = v.blocks[i].backward(r, p.states[i], p.places[i], g, d)
		if c.Gradients {
			s.keep(p, fmt.Sprintf("dblock_input.%d", i), g)
		}
		if i > p.c.From.block(v.cfg.Depth) {
			g = p.leave(i, g)
		}
	}
}

// dropoutP is the dropout that the forward pass applied.
func (p *pass) dropoutP() float32 {
	if p.key == backend.None {
		return 0
	}
	return p.c.Task.cfg.Dropout
}

// keep makes a copy of v readable: gradients are updated in place on their way down.
func (s *Step) keep(p *pass, name string, v backend.Value) {
	if v != backend.None {
		s.taps[name] = p.r.Output(p.r.Scale(v, 1), name)
	}
}

// Targets are a batch's labels: Classes [B] for single-label tasks, Flags [B, classes] of 0 and 1 for multi-label ones.
type Targets struct {
	Classes []int32
	Flags   []float32
}

// Run performs one step at learning rate lr. It returns the batch's mean loss before the update and the logits
// [B, classes] of the forward pass, valid until the next Run. key chooses the dropout masks; a run is repeatable if
// its keys are. With Accumulate only the last run of an update changes anything, at the rate of its first.
func (s *Step) Run(ctx context.Context, input []float32, y Targets, lr float32, key int32) (loss float64, logits []float32, err error) {
	if err := s.write(input, y, lr, key); err != nil {
		return 0, nil, err
	}
	if err := s.sum.begin(s.exec, lr); err != nil {
		return 0, nil, err
	}
	if err := s.exec.Run(ctx); err != nil {
		return 0, nil, err
	}
	if s.lr != backend.None {
		s.opt.steps++
	}
	if err := s.sum.end(ctx, s.opt); err != nil {
		return 0, nil, err
	}
	if err := s.exec.ReadFloats(s.loss, s.losses); err != nil {
		return 0, nil, err
	}
	for _, l := range s.losses {
		loss += float64(l)
	}
	loss *= float64(s.sum.count())
	return loss, s.scores, s.exec.ReadFloats(s.logits, s.scores)
}

func (s *Step) write(input []float32, y Targets, lr float32, key int32) error {
	if err := s.exec.WriteFloats(s.input, input); err != nil {
		return err
	}
	if s.lr != backend.None {
		if err := s.exec.WriteFloats(s.lr, s.opt.rates(lr)); err != nil {
			return err
		}
	}
	if s.key != backend.None {
		s.keys[0] = key
		if err := s.exec.WriteInts(s.key, s.keys[:]); err != nil {
			return err
		}
	}
	if s.multi {
		return s.exec.WriteFloats(s.target, y.Flags)
	}
	for _, class := range y.Classes {
		if class < 0 || int(class) >= len(s.task.cfg.Labels) {
			return errors.Errorf("target %d, expected 0 to %d", class, len(s.task.cfg.Labels)-1)
		}
	}
	return s.exec.WriteInts(s.target, y.Classes)
}

// InputSize is the number of values that Run takes for a batch.
func (s *Step) InputSize() int { return s.shape.Elems() }

// Gradient reads what the last Run left, by the reference's names: "logits_train" or "grad." and a task tensor; with
// Gradients also "dlogits", "dfeatures" and "dblock_input.N".
func (s *Step) Gradient(name string) (tensor.Tensor, error) {
	if t, ok := s.taps[name]; ok {
		x := tensor.New(s.shapes[name]...)
		return x, s.exec.ReadFloats(t, x.Data)
	}
	if rest, ok := cutGrad(name); ok {
		if shape, ok := s.task.layout.shapes[rest]; ok {
			x := tensor.New(shape...)
			return x, s.opt.grads.Read(s.task.layout.at[rest], x.Data)
		}
	}
	return tensor.Tensor{}, errors.WithMessagef(ErrTap, "%q", name)
}

func cutGrad(name string) (string, bool) {
	const p = "grad."
	if len(name) > len(p) && name[:len(p)] == p {
		return name[len(p):], true
	}
	return "", false
}

// InputShape is what Run takes.
func (s *Step) InputShape() tensor.Shape { return s.shape }

// Bytes is the device memory that the step holds.
func (s *Step) Bytes() int64 { return s.exec.Bytes() }

// Close frees it.
func (s *Step) Close() error {
	err := s.exec.Close()
	if e := s.sum.close(); err == nil {
		err = e
	}
	return err
}
