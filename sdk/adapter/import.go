package adapter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// taskSpec is the metadata "spec" of a task file: what the task adds. A part that is present but not listed here, or
// null, is an option that this release does not run.
type taskSpec struct {
	Adapter *struct {
		Mode       string          `json:"mode"`
		Bottleneck int             `json:"bottleneck"`
		LayerNorm  string          `json:"ln"`
		Scale      json.RawMessage `json:"scale"` // a number or "learnable"
		Dropout    *float32        `json:"dropout"`
		Blocks     []int           `json:"blocks"` // all where absent
	} `json:"adapter"`
	Prompts json.RawMessage `json:"prompts"`
	LoRA    json.RawMessage `json:"lora"`
	FCNorm  bool            `json:"fc_norm"`
}

// The AdaptFormer paper's values, where a spec leaves them out.
const (
	defaultScale   = 0.1
	defaultDropout = 0.1
)

// batchesTracked is PyTorch's count of training batches; nothing uses it.
const batchesTracked = "head.0.num_batches_tracked"

// Import reads a task file with the AdaptFormer authors' tensor names and its options in the metadata's "spec", and makes
// an adapter for the given backbone of it. Input size and preprocessing are the backbone's, the task is single-label;
// WithConfig changes them. labels may be nil: the classes are then named by their numbers.
// It returns ErrUnsupported, with the option, for a task that needs what this release does not run.
func Import(path string, backbone Ref, labels []string) (*Adapter, error) {
	f, err := checkpoint.Open(path)
	if err != nil {
		return nil, errors.WithMessage(err, "import adapter")
	}
	defer f.Close()
	a, err := importTask(f, backbone, labels)
	return a, errors.WithMessagef(err, "import adapter %s", path)
}

func importTask(f *checkpoint.File, backbone Ref, labels []string) (*Adapter, error) {
	c, err := importConfig(f, backbone)
	if err != nil {
		return nil, err
	}
	head, err := f.Info(c.headName() + "weight")
	if err != nil || len(head.Shape) != 2 {
		return nil, fmt.Errorf("no head: expected head.weight, or head.1.weight after a BatchNorm, of [classes, features]: %w", ErrCorrupt)
	}
	if len(backbone.Stages) > 0 {
		c.Pool = PoolNormMean
	} else if head.Shape[1] == 2*backbone.Dim {
		c.Pool = PoolCLSMean
	}
	if c.Labels = labels; labels == nil {
		for i := range head.Shape[0] {
			c.Labels = append(c.Labels, strconv.Itoa(i))
		}
	}
	tensors := map[string]tensor.Tensor{}
	for _, name := range f.Names() {
		if name == batchesTracked {
			continue
		}
		t, err := f.Float32(name)
		if err != nil {
			return nil, err
		}
		tensors[name] = t.Clone()
	}
	a, err := build(c, backbone, tensors, nil)
	if err != nil {
		return nil, fmt.Errorf("%v: %w", err, ErrCorrupt)
	}
	for name := range a.tensors {
		delete(tensors, name)
	}
	if len(tensors) > 0 {
		return nil, fmt.Errorf("tensors %q have no place in the task's spec: %w", slices.Sorted(maps.Keys(tensors)), ErrUnsupported)
	}
	return a, nil
}

// importConfig turns a task's spec into a configuration, all but labels and pooling.
func importConfig(f *checkpoint.File, backbone Ref) (Config, error) {
	p := backbone.Preprocess
	c := Config{Method: Linear, Pool: PoolCLS, HeadNorm: f.Has("head.1.weight"), Task: SingleLabel,
		Name: strings.TrimSuffix(filepath.Base(f.Path()), ".safetensors"),
		Size: p.Crop, Fit: Crop, Interpolation: p.Interpolation, Mean: p.Mean, Std: p.Std}
	text, ok := f.Metadata()["spec"]
	if !ok {
		return c, fmt.Errorf("no metadata \"spec\" with the task's options: %w", ErrCorrupt)
	}
	var s taskSpec
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		if strings.Contains(err.Error(), "unknown field") {
			return c, fmt.Errorf("spec %s: %v: %w", text, err, ErrUnsupported)
		}
		return c, fmt.Errorf("spec %s: %v: %w", text, err, ErrCorrupt)
	}
	if err := s.unsupported(); err != nil {
		return c, err
	}
	if s.Adapter == nil {
		return c, nil
	}
	c.Method, c.Bottleneck, c.Scale, c.Dropout = AdaptFormer, s.Adapter.Bottleneck, defaultScale, defaultDropout
	if s.Adapter.Dropout != nil {
		c.Dropout = *s.Adapter.Dropout
	}
	if s.Adapter.Scale != nil {
		if err := json.Unmarshal(s.Adapter.Scale, &c.Scale); err != nil {
			return c, fmt.Errorf("spec: scale %s, expected a number: %w", s.Adapter.Scale, ErrCorrupt)
		}
	}
	if c.Blocks = s.Adapter.Blocks; c.Blocks == nil {
		for i := range backbone.Depth {
			c.Blocks = append(c.Blocks, i)
		}
	}
	return c, nil
}

// unsupported names the first option that this release does not run.
func (s taskSpec) unsupported() error {
	option := ""
	switch a := s.Adapter; {
	case len(s.LoRA) > 0:
		option = "lora"
	case len(s.Prompts) > 0:
		option = "prompts"
	case s.FCNorm:
		option = "fc_norm"
	case a == nil:
	case a.Mode != "" && a.Mode != "parallel":
		option = fmt.Sprintf("adapter mode %q (only parallel runs)", a.Mode)
	case a.LayerNorm != "" && a.LayerNorm != "none":
		option = fmt.Sprintf("adapter ln %q (only none runs)", a.LayerNorm)
	case string(a.Scale) == `"learnable"`:
		option = "learnable adapter scale"
	}
	if option != "" {
		return fmt.Errorf("%s: %w", option, ErrUnsupported)
	}
	return nil
}
