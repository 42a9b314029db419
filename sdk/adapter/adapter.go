package adapter

import (
	"encoding/json"
	"fmt"

	pkgerrors "github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Adapter is one task's tensors with their configuration, in host memory. Immutable and safe for concurrent use.
type Adapter struct {
	config   Config
	backbone Ref
	tensors  map[string]tensor.Tensor
	record   json.RawMessage
	plugin   *Plugin // nil: none

	signature *Signature // nil: none
}

// build checks that tensors are what config needs, drops all others, and makes an Adapter that shares their data.
func build(config Config, backbone Ref, tensors map[string]tensor.Tensor, record json.RawMessage) (*Adapter, error) {
	if err := checkFor(config, backbone); err != nil {
		return nil, err
	}
	a := &Adapter{config: config.clone(), backbone: backbone, tensors: map[string]tensor.Tensor{}, record: record}
	for _, s := range config.specs(backbone) {
		t, ok := tensors[s.name]
		if !ok {
			return nil, fmt.Errorf("adapter tensor %q is missing, expected %v: %w", s.name, s.shape, tensor.ErrShape)
		}
		if err := s.check(t); err != nil {
			return nil, err
		}
		a.tensors[s.name] = t
	}
	return a, nil
}

// maxExtent bounds the width and depth of a backbone, far above every published ViT.
const maxExtent = 1 << 14

func checkFor(config Config, backbone Ref) error {
	if backbone.Dim < 1 || backbone.Depth < 1 || backbone.Dim > maxExtent || backbone.Depth > maxExtent {
		return fmt.Errorf("backbone of width %d and depth %d, expected 1 to %d: %w", backbone.Dim, backbone.Depth, maxExtent, ErrConfig)
	}
	if err := checkStages(config, backbone); err != nil {
		return fmt.Errorf("%v: %w", err, ErrConfig)
	}
	return config.Validate(backbone.Depth)
}

// checkStages checks what an adapter says of a Swin's stages, and that the pooling is one that the backbone has.
func checkStages(config Config, backbone Ref) error {
	blocks := 0
	for _, n := range backbone.Stages {
		if n < 1 || n > maxExtent {
			return fmt.Errorf("backbone with stages of %v blocks", backbone.Stages)
		}
		blocks += n
	}
	if len(backbone.Stages) > 0 && (blocks != backbone.Depth || len(backbone.Stages) > 8 || backbone.FeatureDim() > maxExtent) {
		return fmt.Errorf("backbone with stages of %v blocks from width %d, and depth %d", backbone.Stages, backbone.Dim, backbone.Depth)
	}
	if swin := len(backbone.Stages) > 0; swin && config.Pool != PoolNormMean {
		return fmt.Errorf("pool %q, expected norm_mean: a swin has no class token", config.Pool)
	}
	return nil
}

// check compares a tensor with what the configuration needs of it.
func (s spec) check(t tensor.Tensor) error {
	if !t.Shape.Equal(s.shape) || len(t.Data) != s.shape.Elems() {
		return fmt.Errorf("adapter tensor %q is %v, expected %v: %w", s.name, t.Shape, s.shape, tensor.ErrShape)
	}
	positive := s.name == runningVar
	for i, v := range t.Data {
		if v-v != 0 || positive && v < 0 {
			return fmt.Errorf("adapter tensor %q: element %d is %v: %w", s.name, i, v, ErrCorrupt)
		}
	}
	return nil
}

// Config is what the adapter is. The caller owns the copy.
func (a *Adapter) Config() Config { return a.config.clone() }

// Backbone is what the adapter was made for.
func (a *Adapter) Backbone() Ref { return a.backbone }

// Tensor returns a tensor by the authors' name, such as "blocks.0.adaptmlp.down_proj.weight", or an empty one where the
// adapter has none of that name. The caller must not modify it.
func (a *Adapter) Tensor(name string) tensor.Tensor { return a.tensors[name] }

// Names lists the tensors in the order of the file.
func (a *Adapter) Names() []string {
	var names []string
	for _, s := range a.config.specs(a.backbone) {
		names = append(names, s.name)
	}
	return names
}

// Parameters is the number of trained values: everything but the running statistics.
func (a *Adapter) Parameters() int {
	n := 0
	for name, t := range a.tensors {
		if name != runningMean && name != runningVar {
			n += len(t.Data)
		}
	}
	return n
}

// Record is the training record as JSON, nil where there is none.
func (a *Adapter) Record() json.RawMessage { return a.record }

// WithRecord returns a copy with the given training record, which must be possible to write as JSON.
func (a *Adapter) WithRecord(record any) (*Adapter, error) {
	text, err := json.Marshal(record)
	if err != nil {
		return nil, pkgerrors.Wrap(err, "training record")
	}
	b := *a
	b.record, b.signature = text, nil
	return &b, nil
}

// WithTensors returns a copy in which the given tensors, copied, replace those of the same name. A name that the adapter
// does not have is an error.
func (a *Adapter) WithTensors(tensors map[string]tensor.Tensor) (*Adapter, error) {
	all := map[string]tensor.Tensor{}
	for name, t := range a.tensors {
		all[name] = t
	}
	for name, t := range tensors {
		if _, ok := all[name]; !ok {
			return nil, fmt.Errorf("adapter has no tensor %q: %w", name, tensor.ErrShape)
		}
		all[name] = t.Clone()
	}
	return a.rebuild(a.config, all)
}

// WithConfig returns a copy with another configuration, which must need no tensors but those that are there; the ones it
// does not need are dropped.
func (a *Adapter) WithConfig(c Config) (*Adapter, error) {
	return a.rebuild(c, a.tensors)
}

// rebuild makes a copy with another configuration and other tensors.
func (a *Adapter) rebuild(c Config, tensors map[string]tensor.Tensor) (*Adapter, error) {
	b, err := build(c, a.backbone, tensors, a.record)
	if err != nil {
		return nil, err
	}
	b.plugin = a.plugin
	return b, nil
}

// CheckBackbone returns ErrIncompatible unless the adapter was made for this backbone, in whatever quantisation.
func (a *Adapter) CheckBackbone(b Ref) error {
	if a.backbone.Fingerprint != b.Fingerprint {
		return fmt.Errorf("made for %s (fingerprint %.12s), the backbone is %s (%.12s): %w",
			a.backbone.Name, a.backbone.Fingerprint, b.Name, b.Fingerprint, ErrIncompatible)
	}
	if a.backbone.Dim != b.Dim || a.backbone.Depth != b.Depth {
		return fmt.Errorf("made for width %d and %d blocks, the backbone has %d and %d: %w",
			a.backbone.Dim, a.backbone.Depth, b.Dim, b.Depth, ErrIncompatible)
	}
	return nil
}
