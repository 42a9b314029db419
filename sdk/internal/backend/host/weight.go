package host

import (
	"slices"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// weight implements backend.Weight.
type weight[T ref.Float] struct {
	be         *Backend[T]
	name       string
	rows, cols int
	packed     Packed
	memory
}

// Bytes is what the matrix takes in memory.
func (w *weight[T]) Bytes() int64 { return w.bytes.Load() }

// NewWeight implements backend.Backend.
func (b *Backend[T]) NewWeight(name string, m quant.Matrix) (backend.Weight, error) {
	if err := b.open(); err != nil {
		return nil, errors.WithMessagef(err, "weight %s", name)
	}
	if err := m.Check(); err != nil {
		return nil, errors.WithMessagef(tensor.ErrShape, "weight %s: %v", name, err)
	}
	p, err := b.opt.Pack(m)
	if err != nil {
		return nil, errors.WithMessagef(err, "weight %s", name)
	}
	w := &weight[T]{be: b, name: name, rows: m.Rows, cols: m.Cols, packed: p, memory: memory{inUse: &b.inUse}}
	w.add(int64(p.Bytes()))
	return w, nil
}

func (w *weight[T]) Rows() int { return w.rows }
func (w *weight[T]) Cols() int { return w.cols }

func (w *weight[T]) Close() error {
	w.free()
	return nil
}

func copyMatrix(m quant.Matrix) (Packed, error) {
	m.Int8, m.Half, m.Float, m.Scale = slices.Clone(m.Int8), slices.Clone(m.Half), slices.Clone(m.Float), slices.Clone(m.Scale)
	m.Int4, m.GroupScale = slices.Clone(m.Int4), slices.Clone(m.GroupScale)
	return m, nil
}
