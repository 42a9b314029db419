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
	Adapter *branchSpec     `json:"adapter,omitempty"`
	Prompts json.RawMessage `json:"prompts,omitempty"`
	LoRA    json.RawMessage `json:"lora,omitempty"`
	FCNorm  bool            `json:"fc_norm,omitempty"`
}

// branchSpec is what a task's spec says of its branches.
type branchSpec struct {
	Mode       string          `json:"mode"`
	Bottleneck int             `json:"bottleneck"` // of the widest; the tensors say which are narrower
	LayerNorm  string          `json:"ln"`
	Scale      json.RawMessage `json:"scale"` // a number or "learnable"
	Dropout    *float32        `json:"dropout"`
	Blocks     []int           `json:"blocks,omitempty"` // all where absent
}

// Metadata of a task file, and the word in it for a trained scale. Labels, task and thresholds are ours: the authors' files have none.
const (
	metaSpec   = "spec"
	metaLabels = "labels"
	metaTask   = "task"

	metaThresholds = "thresholds"

	learnable = `"learnable"`
)

// The AdaptFormer paper's values, where a spec leaves them out, and the start of a scale that is learned.
const (
	defaultScale   = 0.1
	defaultDropout = 0.1
	learnedScale   = 1
)

// batchesTracked is PyTorch's count of training batches; nothing uses it.
const batchesTracked = "head.0.num_batches_tracked"

// Import reads a task file with the AdaptFormer authors' tensor names and its options in the metadata's "spec", and makes
// an adapter for the given backbone of it. Input size and preprocessing are the backbone's, which WithConfig changes. An
// export of ours also says what kind of task it is, else single-label, and names the classes; labels, where they are not
// nil, take the place of these names, or of numbers.
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
	if c.Labels, err = importLabels(f, labels, head.Shape[0]); err != nil {
		return nil, err
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
	if task, ok := f.Metadata()[metaTask]; ok {
		c.Task = Task(task)
	}
	if text, ok := f.Metadata()[metaThresholds]; ok {
		if err := json.Unmarshal([]byte(text), &c.Thresholds); err != nil {
			return c, fmt.Errorf("thresholds %.60q: %v: %w", text, err, ErrCorrupt)
		}
	}
	text, ok := f.Metadata()[metaSpec]
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
	if s.FCNorm {
		c.Pool = PoolMean
	}
	if s.Adapter == nil {
		return c, nil
	}
	if err := s.Adapter.configure(&c, backbone.Depth); err != nil {
		return c, fmt.Errorf("spec: %w", err)
	}
	c.importWidths(f, backbone)
	return c, nil
}

// configure turns the spec of branches into a configuration, all but bottlenecks that differ.
func (s *branchSpec) configure(c *Config, depth int) (err error) {
	c.Method, c.Bottleneck, c.Scale, c.Dropout = AdaptFormer, s.Bottleneck, defaultScale, defaultDropout
	if s.Mode != "" {
		if c.Placement, err = ParsePlacement(s.Mode); err != nil {
			return fmt.Errorf("adapter mode: %v: %w", err, ErrUnsupported)
		}
	}
	if s.LayerNorm != "" {
		if c.Norm, err = ParseBranchNorm(s.LayerNorm); err != nil {
			return fmt.Errorf("adapter ln: %v: %w", err, ErrUnsupported)
		}
	}
	if s.Dropout != nil {
		c.Dropout = *s.Dropout
	}
	switch {
	case string(s.Scale) == learnable:
		c.LearnScale, c.Scale = true, learnedScale
	case s.Scale != nil:
		if err := json.Unmarshal(s.Scale, &c.Scale); err != nil {
			return fmt.Errorf("scale %s, expected a number or %s: %w", s.Scale, learnable, ErrCorrupt)
		}
	}
	if c.Blocks = s.Blocks; c.Blocks == nil {
		for i := range depth {
			c.Blocks = append(c.Blocks, i)
		}
	}
	return nil
}

// importWidths takes the widths of branches from their tensors, where not all are the spec's.
func (c *Config) importWidths(f *checkpoint.File, backbone Ref) {
	var rs []int
	for _, b := range c.Blocks {
		if b < 0 || b >= backbone.Depth {
			return // which build reports
		}
		info, err := f.Info(backbone.BranchName(b) + "down_proj.weight")
		if err != nil || len(info.Shape) != 2 {
			return // likewise
		}
		rs = append(rs, info.Shape[0])
	}
	if slices.ContainsFunc(rs, func(r int) bool { return r != c.Bottleneck }) {
		c.Bottlenecks = rs
	}
}

// importLabels are the given labels, those that an export of ours holds, or numbers.
func importLabels(f *checkpoint.File, labels []string, classes int) ([]string, error) {
	if text, ok := f.Metadata()[metaLabels]; ok && labels == nil {
		if err := json.Unmarshal([]byte(text), &labels); err != nil {
			return nil, fmt.Errorf("metadata %q: %v: %w", metaLabels, err, ErrCorrupt)
		}
	}
	if labels != nil {
		return labels, nil
	}
	for i := range classes {
		labels = append(labels, strconv.Itoa(i))
	}
	return labels, nil
}

// unsupported names the first option that this release does not run.
func (s taskSpec) unsupported() error {
	option := ""
	switch {
	case len(s.LoRA) > 0:
		option = "lora"
	case len(s.Prompts) > 0:
		option = "prompts"
	}
	if option != "" {
		return fmt.Errorf("%s: %w", option, ErrUnsupported)
	}
	return nil
}
