package nn

import (
	"fmt"
	"slices"
	"sync"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// ViT is a frozen backbone resident on one device. Immutable, safe for concurrent use.
// Whoever made it closes it, after every Task, Forward and Step made from it.
type ViT struct {
	be   backend.Backend
	host *model.Backbone
	cfg  model.Config
	acts Activations

	patch, patchBias, prefix backend.Buffer // prefix is nil where there are no such tokens
	stemNorm                 *backend.Norm  // of the embedded patches, in a Swin
	blocks                   []block
	norm                     backend.Norm   // of the tokens; of the pooled vector where cfg.FCNorm
	head, headBias           backend.Buffer // the checkpoint's own classifier, nil where it has none
	classes                  int            // of head

	mu        sync.Mutex
	positions map[[2]int]backend.Buffer // by patch grid

	resources
}

// resources are the device objects that a value owns, closed in reverse.
type resources struct {
	be    backend.Backend
	owned []interface{ Close() error }
	err   error
}

// Close frees the device memory. Idempotent.
func (s *resources) Close() error {
	var first error
	for i := len(s.owned) - 1; i >= 0; i-- {
		if err := s.owned[i].Close(); err != nil && first == nil {
			first = err
		}
	}
	s.owned = nil
	return first
}

// floats makes a resident buffer filled with data. After the first failure it makes nothing: the caller checks err once.
func (s *resources) floats(name string, data []float32) backend.Buffer {
	if s.err != nil {
		return nil
	}
	b, err := s.be.NewBuffer(name, len(data))
	if err == nil {
		s.owned = append(s.owned, b)
		err = b.Write(0, data)
	}
	if err != nil {
		s.err = errors.WithMessage(err, name)
		return nil
	}
	return b
}

func (s *resources) frozen(name string, m quant.Matrix, bias []float32) backend.Frozen {
	if s.err != nil {
		return backend.Frozen{}
	}
	w, err := s.be.NewWeight(name, m)
	if err != nil {
		s.err = errors.WithMessage(err, name)
		return backend.Frozen{}
	}
	s.owned = append(s.owned, w)
	return backend.Frozen{W: w, Bias: s.floats(name+".bias", bias)}
}

// Activations is how the inputs of the frozen linear layers are multiplied: FloatActivations or Int8Activations, to which
// HalfStorage may be added.
type Activations int

const (
	// FloatActivations are float32.
	FloatActivations Activations = iota
	// Int8Activations are rounded to int8 as they come, with scales of their own: a token's where a LayerNorm wrote them, a
	// block's of 64 columns where attention or GELU did. So are the gradients of a backward pass through q8c weights; those
	// through int4 weights, whose scales change along the columns, stay float32. For weights of integers on devices whose
	// Info says Int8.
	Int8Activations
	// HalfStorage has what attention reads, the largest activation of a block, in memory as float16, outside training. For
	// devices whose Info says Half.
	HalfStorage
)

// Int8 is whether the inputs are rounded to int8, Half whether what attention reads is stored as float16.
func (a Activations) Int8() bool { return a&Int8Activations != 0 }
func (a Activations) Half() bool { return a&HalfStorage != 0 }

// String is the name of the option: "float" or "int8", and "+f16" behind it with HalfStorage.
func (a Activations) String() string {
	name := "float"
	if a.Int8() {
		name = "int8"
	}
	if a.Half() {
		name += "+f16"
	}
	return name
}

// ErrActivations says that a device or a weight scheme does not have the activations asked for.
var ErrActivations = errors.New("no such activations")

// apply sets the blocks of a block's layers: qkv and fc1 read what a LayerNorm wrote, proj and fc2 attention and GELU.
func (a Activations) apply(b *block, scheme quant.Scheme) {
	token, columns, gradient := quant.PerToken, quant.ActivationBlock, quant.ActivationBlock
	if !a.Int8() {
		token, columns = 0, 0
	}
	if !a.Int8() || scheme.Group() > 0 {
		gradient = 0
	}
	const vector = 4
	b.qkv.Half = a.Half() && b.qkv.W.Rows()%vector == 0 // as all models have it
	b.qkv.Block, b.proj.Block, b.fc1.Block, b.fc2.Block = token, columns, token, columns
	if b.merge != nil {
		m := *b.merge
		m.reduction.Block, m.reduction.GradBlock = token, gradient
		b.merge = &m
	}
	for _, f := range []*backend.Frozen{&b.qkv, &b.proj, &b.fc1, &b.fc2} {
		f.GradBlock = gradient
	}
}

// check returns ErrActivations where a device or a scheme does not have them.
func (a Activations) check(be backend.Backend, scheme quant.Scheme) error {
	if a.Int8() && !(be.Info().Int8 && scheme.Integers()) {
		return errors.WithMessagef(ErrActivations, "int8 on device %s with weights of scheme %s, expected integers on the CPU or Vulkan", be.Info().ID, scheme)
	}
	if a.Half() && !be.Info().Half {
		return errors.WithMessagef(ErrActivations, "float16 storage on device %s, expected Vulkan", be.Info().ID)
	}
	return nil
}

// NewViT makes the frozen weights of b resident on be. The cost is one upload of the quantised weights; b may be
// shared by several devices. It returns ErrActivations where int8 is asked of a device or of weights without it.
func NewViT(be backend.Backend, b *model.Backbone, acts Activations) (*ViT, error) {
	if err := acts.check(be, b.Scheme()); err != nil {
		return nil, err
	}
	c := b.Config()
	v := &ViT{be: be, host: b, cfg: c, acts: acts, positions: map[[2]int]backend.Buffer{}, resources: resources{be: be}}
	norm := func(name string) backend.Norm {
		return backend.Norm{Gamma: v.floats(name+".weight", b.Float(name+".weight")),
			Beta: v.floats(name+".bias", b.Float(name+".bias")), Eps: c.LayerNormEps}
	}
	v.patch = v.floats("patch_embed.proj.weight", b.Float("patch_embed.proj.weight"))
	v.patchBias = v.floats("patch_embed.proj.bias", b.Float("patch_embed.proj.bias"))
	if prefix := b.Prefix(); len(prefix) > 0 {
		v.prefix = v.floats("prefix", prefix)
	}
	if c.Swin() {
		n := norm("patch_embed.norm")
		v.stemNorm = &n
	}
	for i := range c.Depth {
		at := func(layer string) backend.Frozen {
			name := c.BlockName(i, layer)
			m, bias := b.Linear(i, layer)
			defer b.Idle(i, layer)
			return v.frozen(name, m, bias)
		}
		v.blocks = append(v.blocks, block{
			norm1: norm(c.BlockName(i, "norm1")), norm2: norm(c.BlockName(i, "norm2")),
			qkv: at("attn.qkv"), proj: at("attn.proj"), fc1: at("mlp.fc1"), fc2: at("mlp.fc2"), swiglu: c.SwiGLU})
		if c.Swin() {
			v.blocks[i].table = v.floats("bias table", b.BiasTable(i))
		}
		if stage, ok := c.Merges(i); ok {
			m, bias := b.Reduction(stage)
			v.blocks[i].merge = &merge{norm: norm(model.MergeNorm(stage)), reduction: v.frozen("reduction", m, bias)}
		}
	}
	for i := range v.blocks {
		acts.apply(&v.blocks[i], b.Scheme())
	}
	v.norm = norm(c.FinalNorm())
	if w := b.Float("head.weight"); w != nil {
		v.head, v.headBias = v.floats("head.weight", w), v.floats("head.bias", b.Float("head.bias"))
		v.classes = len(b.Float("head.bias"))
	}
	if v.err != nil {
		v.Close()
		return nil, v.err
	}
	return v, nil
}

// With returns the same network with other activations. It shares v's memory, and is closed before v.
func (v *ViT) With(acts Activations) (*ViT, error) {
	if err := acts.check(v.be, v.host.Scheme()); err != nil {
		return nil, err
	}
	w := v.share(v.be)
	w.acts = acts
	for i := range w.blocks {
		acts.apply(&w.blocks[i], v.host.Scheme())
	}
	return w, nil
}

// Through returns the same network with passes that be compiles: v's device, seen through something that watches it. It shares
// v's memory, and is closed before v.
func (v *ViT) Through(be backend.Backend) *ViT { return v.share(be) }

// share is a network over v's memory.
func (v *ViT) share(be backend.Backend) *ViT {
	return &ViT{be: be, host: v.host, cfg: v.cfg, acts: v.acts, patch: v.patch, patchBias: v.patchBias, prefix: v.prefix, stemNorm: v.stemNorm,
		blocks: slices.Clone(v.blocks), norm: v.norm, head: v.head, headBias: v.headBias, classes: v.classes,
		positions: map[[2]int]backend.Buffer{}, resources: resources{be: be}}
}

// Config is the architecture.
func (v *ViT) Config() model.Config { return v.cfg }

// Activations is how the layers' inputs are multiplied.
func (v *ViT) Activations() Activations { return v.acts }

// Backend is the device that holds the weights.
func (v *ViT) Backend() backend.Backend { return v.be }

// positionsFor returns the patch positions resampled to a grid, uploading them at first use.
func (v *ViT) positionsFor(gh, gw int) (backend.Buffer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	key := [2]int{gh, gw}
	if b := v.positions[key]; b != nil {
		return b, nil
	}
	b := v.floats(fmt.Sprintf("pos_embed.%dx%d", gh, gw), v.host.Positions(gh, gw).Data)
	if err := v.err; err != nil {
		v.err = nil // a later, smaller request may still fit
		return nil, err
	}
	v.positions[key] = b
	return b, nil
}
