package adapter

import (
	"encoding/json"
	"fmt"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// Export writes the adapter as a task file with the AdaptFormer authors' tensor names, its options in the metadata's
// "spec", and its labels with their thresholds and the kind of task beside them. Import gives it back, but for what such a file has no place for:
// preprocessing, description, record, plug-in and signature. PyTorch reads it with safetensors; the
// tensors are all that load_state_dict wants of branches and head.
//
// It returns ErrUnsupported for a pooling that the authors' models do not have and that the head's width does not tell.
func (a *Adapter) Export(path string) error {
	metadata, err := a.exportMetadata()
	if err != nil {
		return errors.WithMessage(err, "export adapter")
	}
	var entries []checkpoint.Entry
	for _, name := range a.Names() {
		entries = append(entries, checkpoint.Float32Entry(name, a.tensors[name]))
	}
	if a.config.HeadNorm { // load_state_dict misses it otherwise
		entries = append(entries, checkpoint.Entry{Name: batchesTracked, DType: checkpoint.I64, Data: make([]byte, 8)})
	}
	return errors.WithMessage(checkpoint.WriteFile(path, metadata, entries), "export adapter")
}

func (a *Adapter) exportMetadata() (map[string]string, error) {
	c := a.config
	if c.Pool == PoolNormMean && len(a.backbone.Stages) == 0 {
		return nil, fmt.Errorf("pool %s on a backbone with a class token: %w", c.Pool, ErrUnsupported)
	}
	s := taskSpec{FCNorm: c.Pool == PoolMean}
	if c.Method == AdaptFormer {
		scale, err := json.Marshal(c.Scale)
		if err != nil {
			return nil, errors.Wrap(err, "scale")
		}
		s.Adapter = &branchSpec{Mode: c.Placement.String(), Bottleneck: c.Bottleneck, LayerNorm: c.Norm.String(), Scale: scale, Dropout: &c.Dropout}
		if c.LearnScale {
			s.Adapter.Scale = json.RawMessage(learnable)
		}
		if len(c.Blocks) < a.backbone.Depth {
			s.Adapter.Blocks = c.Blocks
		}
	}
	metadata := map[string]string{"format": "pt", metaTask: string(c.Task)} // the format as PyTorch's own safetensors state it
	values := map[string]any{metaSpec: s, metaLabels: c.Labels}
	if c.Thresholds != nil {
		values[metaThresholds] = c.Thresholds
	}
	for key, value := range values {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, errors.Wrapf(err, "encode %s", key)
		}
		metadata[key] = string(text)
	}
	return metadata, nil
}
