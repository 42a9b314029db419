package sdk

import (
	"maps"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint/pth"
	"github.com/pkg/errors"
)

// TensorInfo describes a tensor of a safetensors file or a PyTorch checkpoint.
type TensorInfo struct {
	Name  string `json:"name"`
	DType string `json:"dtype"`
	Shape []int  `json:"shape"`
	Bytes int64  `json:"bytes"`
}

// ListTensors describes the tensors of a safetensors file or a PyTorch checkpoint, by name, and its metadata, which is nil for a
// PyTorch checkpoint.
// It returns ErrCorrupt for a file that is damaged or none.
func ListTensors(path string) ([]TensorInfo, map[string]string, error) {
	f, err := pth.OpenTensors(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	var list []TensorInfo
	for _, name := range f.Names() {
		info, err := f.Info(name)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, TensorInfo{Name: name, DType: string(info.DType), Shape: slices.Clone(info.Shape), Bytes: int64(info.Shape.Elems() * info.DType.Size())})
	}
	return list, maps.Clone(f.Metadata()), nil
}

// ReadTensor reads one tensor of a safetensors file or a PyTorch checkpoint as float32. It returns ErrNoTensor where the file has none of that
// name and ErrCorrupt where it is damaged. Nothing of the file stays open.
func ReadTensor(path, name string) (Tensor, error) {
	f, err := pth.OpenTensors(path)
	if err != nil {
		return Tensor{}, err
	}
	defer f.Close()
	t, err := f.Float32(name)
	if err != nil {
		return Tensor{}, err
	}
	return t.Clone(), nil // t may be a view of the mapped file
}

// WriteTensors writes a safetensors file of float32 tensors so that a reader sees the old file or the new one, never
// half of either. The same arguments always give the same bytes. metadata may be nil.
func WriteTensors(path string, tensors map[string]Tensor, metadata map[string]string) error {
	var entries []checkpoint.Entry
	for _, name := range slices.Sorted(maps.Keys(tensors)) {
		t := tensors[name]
		if t.Shape.Elems() != len(t.Data) {
			return errors.WithMessagef(ErrShape, "tensor %q is %v with %d elements", name, t.Shape, len(t.Data))
		}
		entries = append(entries, checkpoint.Float32Entry(name, t))
	}
	return checkpoint.WriteFile(path, metadata, entries)
}
