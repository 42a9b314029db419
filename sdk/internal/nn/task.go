package nn

import (
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// BatchNorm of the head, as the AdaptFormer authors have it.
const (
	headEps      = 1e-6
	headMomentum = 0.1
)

// fcNormEps belongs to the norm that mean pooling applies to the pooled vector.
const fcNormEps = 1e-6

// Task is an adapter resident on a device: the parameters of all branches, of the head and of fc_norm side by side in one
// buffer, so that an optimiser step is one operator, and the head's running statistics in another.
// Safe for concurrent reading; one trainer at a time may change it.
type Task struct {
	cfg      adapter.Config
	backbone adapter.Ref
	features int // F, the width of the pooled vector
	layout   layout
	params   backend.Buffer
	stats    backend.Buffer // running mean, then running variance; nil without HeadNorm
	resources
}

// layout places named tensors in a flat buffer, each at a multiple of backend.ParamAlign.
type layout struct {
	names  []string
	shapes map[string]tensor.Shape
	at     map[string]int
	size   int
}

func (l *layout) add(name string, shape ...int) {
	l.names = append(l.names, name)
	l.shapes[name] = shape
	l.at[name] = l.size
	l.size += align(tensor.Shape(shape).Elems())
}

func align(n int) int { return (n + backend.ParamAlign - 1) / backend.ParamAlign * backend.ParamAlign }

// param is the named tensor as a value of r's Program, seen in buffer b.
func (l *layout) param(r *backend.Recorder, b backend.Buffer, name string) backend.Value {
	return r.Param(name, b, l.at[name], l.shapes[name]...)
}

// NewTask makes a resident on v's device. The adapter must have been made for a backbone of v's width and depth.
func NewTask(v *ViT, a *adapter.Adapter) (*Task, error) {
	c := a.Config()
	t := &Task{cfg: c, backbone: v.cfg.Ref(), features: v.featureWidth(c.Pool), resources: resources{be: v.be},
		layout: layout{shapes: map[string]tensor.Shape{}, at: map[string]int{}}}
	for _, i := range c.Blocks {
		if i < 0 || i >= v.cfg.Depth {
			return nil, errors.WithMessagef(tensor.ErrShape, "adapter has a branch in block %d, the backbone has %d blocks", i+1, v.cfg.Depth)
		}
		t.addBranch(t.backbone.BranchName(i), v.cfg.BlockDim(i), c.BottleneckOf(i))
	}
	t.layout.add(t.headName()+"weight", len(c.Labels), t.features)
	t.layout.add(t.headName()+"bias", len(c.Labels))
	if t.hasFCNorm() {
		t.layout.add("fc_norm.weight", t.features)
		t.layout.add("fc_norm.bias", t.features)
	}
	t.params = t.floats("adapter", make([]float32, t.layout.size))
	if c.HeadNorm {
		t.stats = t.floats("head.0", make([]float32, 2*align(t.features)))
	}
	if t.err == nil {
		t.err = t.Load(a)
	}
	if t.err != nil {
		t.Close()
		return nil, t.err
	}
	return t, nil
}

// Config is the adapter's.
func (t *Task) Config() adapter.Config { return t.cfg }

// Size is the number of trainable elements, padding included.
func (t *Task) Size() int { return t.layout.size }

// Load writes a's tensors over the resident ones; a has this task's configuration.
func (t *Task) Load(a *adapter.Adapter) error {
	for _, name := range t.layout.names {
		x := a.Tensor(name)
		if !x.Shape.Equal(t.layout.shapes[name]) {
			return errors.WithMessagef(tensor.ErrShape, "adapter tensor %s is %v, the backbone needs %v", name, x.Shape, t.layout.shapes[name])
		}
		if err := t.params.Write(t.layout.at[name], x.Data); err != nil {
			return err
		}
	}
	if t.stats == nil {
		return nil
	}
	for i, name := range []string{"head.0.running_mean", "head.0.running_var"} {
		x := a.Tensor(name)
		if len(x.Data) != t.features {
			return errors.WithMessagef(tensor.ErrShape, "adapter tensor %s is %v, the backbone needs [%d]", name, x.Shape, t.features)
		}
		if err := t.stats.Write(i*align(t.features), x.Data); err != nil {
			return err
		}
	}
	return nil
}

// Tensors reads the parameters and statistics back, by the authors' names.
func (t *Task) Tensors() (map[string]tensor.Tensor, error) {
	out := map[string]tensor.Tensor{}
	for _, name := range t.layout.names {
		x := tensor.New(t.layout.shapes[name]...)
		if err := t.params.Read(t.layout.at[name], x.Data); err != nil {
			return nil, err
		}
		out[name] = x
	}
	if t.stats != nil {
		for i, name := range []string{"head.0.running_mean", "head.0.running_var"} {
			x := tensor.New(t.features)
			if err := t.stats.Read(i*align(t.features), x.Data); err != nil {
				return nil, err
			}
			out[name] = x
		}
	}
	return out, nil
}

// hasFCNorm reports whether the task norms its pooled vector itself: with mean pooling.
func (t *Task) hasFCNorm() bool { return t.cfg.Pool == adapter.PoolMean }

// fcNorm is that norm.
func (t *Task) fcNorm(r *backend.Recorder) backend.TrainedNorm {
	return backend.TrainedNorm{Gamma: t.layout.param(r, t.params, "fc_norm.weight"), Beta: t.layout.param(r, t.params, "fc_norm.bias"), Eps: fcNormEps}
}

// headName is the prefix of the head's linear layer: the authors wrap it with the BatchNorm in a sequence.
func (t *Task) headName() string {
	if t.cfg.HeadNorm {
		return "head.1."
	}
	return "head."
}

// firstBlock is the lowest block with a branch, depth where there is none: blocks below it see no trained parameter.
func (t *Task) firstBlock(depth int) int {
	if len(t.cfg.Blocks) == 0 {
		return depth
	}
	return slices.Min(t.cfg.Blocks)
}

// Entry is the lowest point of the network that a training step of t has to start from.
func (t *Task) Entry(depth int) Entry {
	if first := t.firstBlock(depth); first < depth {
		return AtBlock(first)
	}
	return Features
}
