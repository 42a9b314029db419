package model

import (
	"fmt"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// int4Entries is a weight in the pack-quantized form of compressed-tensors: the integers, eight to an int32; the scales
// of the groups; and the shape, which the packed columns no longer tell.
func int4Entries(name string, m quant.Matrix) []checkpoint.Entry {
	return []checkpoint.Entry{
		checkpoint.WordsEntry(name+packedSuffix, tensor.Shape{m.Rows, m.Words()}, m.Int4),
		checkpoint.HalfEntry(name+scaleSuffix, tensor.Shape{m.Rows, m.Groups()}, m.GroupScale),
		checkpoint.Int64Entry(name+shapeSuffix, int64(m.Rows), int64(m.Cols)),
	}
}

// int4Shape is what weight_shape says.
func int4Shape(f *checkpoint.File, name string) (tensor.Shape, error) {
	name += shapeSuffix
	if err := wantShape(f, name, 2); err != nil {
		return nil, err
	}
	v, err := f.Int64(name)
	if err != nil {
		return nil, err
	}
	for _, n := range v {
		if n < 1 || n > 1<<20 { // FORMATS.md: 3 x 16384, 2 x 65536 at most
			return nil, fmt.Errorf("tensor %q holds %v, expected rows and columns: %w", name, v, ErrCorrupt)
		}
	}
	return tensor.Shape{int(v[0]), int(v[1])}, nil
}

// loadInt4 reads the numbers of m, whose scheme and shape are set.
func loadInt4(f *checkpoint.File, name string, m quant.Matrix) (quant.Matrix, error) {
	if err := wantShape(f, name+packedSuffix, m.Rows, m.Words()); err != nil {
		return m, err
	}
	scales := name + scaleSuffix
	if err := wantShape(f, scales, m.Rows, m.Groups()); err != nil {
		return m, fmt.Errorf("scheme %s has groups of %d columns: %w", m.Scheme, m.Scheme.Group(), err)
	}
	var err error
	if m.Int4, err = f.Words(name + packedSuffix); err != nil {
		return m, err
	}
	if m.GroupScale, err = f.Half(scales); err != nil {
		return m, err
	}
	return m, finiteHalves(scales, m.GroupScale)
}
