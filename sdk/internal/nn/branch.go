package nn

import (
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// branchEps belongs to the LayerNorm of a branch, whatever that of the backbone is: the AdaptFormer authors make it with
// PyTorch's default.
const branchEps = 1e-5

// addBranch lays out the parameters of block i's branch, of width r on tokens of width d. up_proj's stand together: see
// scaleGrad.
func (t *Task) addBranch(name string, d, r int) {
	t.layout.add(name+"down_proj.weight", r, d)
	t.layout.add(name+"down_proj.bias", r)
	t.layout.add(name+"up_proj.weight", d, r)
	t.layout.add(name+"up_proj.bias", d)
	if t.cfg.Norm != adapter.NormNone {
		t.layout.add(name+"adapter_layer_norm_before.weight", d)
		t.layout.add(name+"adapter_layer_norm_before.bias", d)
	}
	if t.cfg.LearnScale {
		t.layout.add(name+"scale", 1)
	}
}

// branch is the AdaptMLP of one block as a Program sees it.
type branch struct {
	task    *Task
	name    string
	grads   backend.Buffer // nil outside training
	dropout backend.Dropout
}

// branchAt returns block i's branch, nil where it has none.
func (t *Task) branchAt(i int) *branch {
	if t == nil || !slices.Contains(t.cfg.Blocks, i) {
		return nil
	}
	return &branch{task: t, name: t.backbone.BranchName(i)}
}

func (b *branch) param(r *backend.Recorder, leaf string) backend.Value {
	return b.task.layout.param(r, b.task.params, b.name+leaf)
}

func (b *branch) grad(r *backend.Recorder, leaf string) backend.Value {
	return b.task.layout.param(r, b.grads, b.name+leaf)
}

func (b *branch) norm(r *backend.Recorder) backend.TrainedNorm {
	return backend.TrainedNorm{Gamma: b.param(r, "adapter_layer_norm_before.weight"), Beta: b.param(r, "adapter_layer_norm_before.bias"), Eps: branchEps}
}

// is reports which norm the branch has, and sequential where it stands.
func (b *branch) is(n adapter.BranchNorm) bool { return b.task.cfg.Norm == n }
func (b *branch) sequential() bool             { return b.task.cfg.Placement == adapter.Sequential }

// fused reports whether the branch's output can be summed on the accumulators of the block's last layer.
func (b *branch) fused() bool { return !b.sequential() && !b.is(adapter.NormOut) }

// branchState is what a branch's forward pass leaves for its backward pass.
type branchState struct {
	in       backend.Value // what the branch gets: x' where it is parallel, the MLP's output where it is sequential
	read     backend.Value // what its down-projection reads: in, or LayerNorm(in)
	hidden   backend.Value
	down     backend.Value
	up, bias backend.Value // the up-projection; times the learned scale, where there is one
	scale    float32       // what is left to multiply the output with
	out      backend.Value // before its norm, where it has one
	stats    backend.NormStats
}

// forward records the branch up to its hidden values, h = dropout(ReLU(in Wdown + bdown)) with a LayerNorm on in where
// there is one. A learned scale s goes into the up-projection, s Wup and s bup, which are much smaller than the tokens.
func (b *branch) forward(r *backend.Recorder, in backend.Value) branchState {
	s := branchState{in: in, read: in, scale: b.task.cfg.Scale,
		down: b.param(r, "down_proj.weight"), up: b.param(r, "up_proj.weight"), bias: b.param(r, "up_proj.bias")}
	if b.task.cfg.LearnScale {
		by := b.param(r, "scale")
		s.up, s.bias, s.scale = r.ScaleBy(s.up, by), r.ScaleBy(s.bias, by), 1
	}
	if b.is(adapter.NormIn) {
		s.read, s.stats = r.LayerNormTrained(in, b.norm(r))
	}
	s.hidden = r.AdaptDown(s.read, s.down, b.param(r, "down_proj.bias"), b.dropout)
	return s
}

// output records what the branch adds: s (h Wup + bup), with a LayerNorm on it where there is one.
func (b *branch) output(r *backend.Recorder, s *branchState) backend.Value {
	y := r.Affine(s.hidden, s.up, s.bias)
	if s.scale != 1 {
		y = r.Scale(y, s.scale)
	}
	if b.is(adapter.NormOut) {
		s.out = y
		y, s.stats = r.LayerNormTrained(y, b.norm(r))
	}
	return y
}

// branchGrad is the gradient on its way down through a branch: at the hidden sums, and with a norm on the input at what
// the down-projection reads.
type branchGrad struct {
	b     *branch
	s     branchState
	dh    backend.Value
	dread backend.Value
}

// backward records the gradients of the branch's own parameters from g, that at what the branch adds:
//
//	dh = s (g Wup) where h > 0;  dWup = s gᵀ h;  dbup = s Σ g;  dWdown = dhᵀ read;  dbdown = Σ dh
//
// g goes through the norm on the output first, where there is one.
func (b *branch) backward(r *backend.Recorder, s branchState, g backend.Value) *branchGrad {
	if b.is(adapter.NormOut) {
		b.normGrad(r, s.out, s.stats, g)
		g = r.LayerNormTrainedBackward(s.out, b.norm(r), s.stats, g, backend.None)
	}
	d := &branchGrad{b: b, s: s, dh: r.AdaptDownBackward(g, s.up, s.hidden, s.scale/(1-b.dropout.P))}
	r.WeightGrad(g, s.hidden, b.grad(r, "up_proj.weight"), s.scale)
	r.BiasGrad(g, b.grad(r, "up_proj.bias"), s.scale)
	if b.task.cfg.LearnScale {
		b.scaleGrad(r)
	}
	r.WeightGrad(d.dh, s.read, b.grad(r, "down_proj.weight"), 1)
	r.BiasGrad(d.dh, b.grad(r, "down_proj.bias"), 1)
	if b.is(adapter.NormIn) {
		d.dread = r.MatMul(d.dh, s.down, backend.None)
		b.normGrad(r, s.in, s.stats, d.dread)
	}
	return d
}

func (b *branch) normGrad(r *backend.Recorder, x backend.Value, s backend.NormStats, dy backend.Value) {
	r.LayerNormGrad(x, s, dy, b.grad(r, "adapter_layer_norm_before.weight"), b.grad(r, "adapter_layer_norm_before.bias"))
}

// scaleGrad records the gradient of a learned scale s, and turns those at W = s Wup and b = s bup, which the gradient
// buffer holds by now, into those of Wup and bup:
//
//	ds = Σ dW ⊙ Wup + Σ db ⊙ bup;  dWup = s dW;  dbup = s db
//
// Weight and bias stand together in the flat buffers, the gap between them zero in both: one vector of n elements.
func (b *branch) scaleGrad(r *backend.Recorder) {
	l := &b.task.layout
	at := l.at[b.name+"up_proj.weight"]
	n := l.at[b.name+"up_proj.bias"] - at + l.shapes[b.name+"up_proj.bias"].Elems()
	dup := r.Param("up_proj", b.grads, at, n, 1)
	r.WeightGrad(dup, r.Param("up_proj", b.task.params, at, n, 1), r.Param("scale", b.grads, l.at[b.name+"scale"], 1, 1), 1)
	r.ScaleInPlace(dup, b.param(r, "scale"))
}

// into records the gradient at what the branch got, added in place to base where there is one.
func (d *branchGrad) into(r *backend.Recorder, base backend.Value) backend.Value {
	if d.b.is(adapter.NormIn) {
		return r.LayerNormTrainedBackward(d.s.in, d.b.norm(r), d.s.stats, d.dread, base)
	}
	return r.MatMul(d.dh, d.s.down, base)
}
