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

// NewWeight implements backend.Backend.
func (b *Backend[T]) NewWeight(name string, m quant.Matrix) (backend.Weight, error) {
	if err := b.open(); err != nil {
		return nil, errors.WithMessagef(err, "weight %s", name)
	}
	if n := stored(m); m.Rows <= 0 || m.Cols <= 0 || n != m.Rows*m.Cols || m.Scale != nil && len(m.Scale) != m.Rows {
		return nil, errors.WithMessagef(tensor.ErrShape, "weight %s [%d, %d] has %d elements and %d scales", name, m.Rows, m.Cols, n, len(m.Scale))
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
	return m, nil
}

// stored is the number of elements in the slice that m's scheme names.
func stored(m quant.Matrix) int {
	switch m.Scheme {
	case quant.Q8C:
		return len(m.Int8)
	case quant.F16:
		return len(m.Half)
	}
	return len(m.Float)
}
