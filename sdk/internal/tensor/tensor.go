// Package tensor holds shapes and row-major float32 tensors on the host.
//
// It knows no operators and no devices: it is what the checkpoint reader, the adapters, the image
// pipeline and the backends hand to one another.
package tensor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrShape says that the shapes of an operation's operands do not fit together.
var ErrShape = errors.New("shape mismatch")

// Shape is a tensor's extent per axis, outermost first. Every extent is positive; the empty shape is a scalar.
type Shape []int

// Elems is the number of elements: the product of the extents, 1 for a scalar.
func (s Shape) Elems() int {
	n := 1
	for _, d := range s {
		n *= d
	}
	return n
}

// Equal reports whether both shapes have the same extents.
func (s Shape) Equal(t Shape) bool { return slices.Equal(s, t) }

// String prints a shape as [197, 768].
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = fmt.Sprint(d)
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Tensor is a row-major float32 tensor. Data has Shape.Elems() elements; it may alias memory that somebody else owns.
type Tensor struct {
	Shape Shape
	Data  []float32
}

// New makes a zero tensor.
func New(shape ...int) Tensor {
	s := Shape(shape)
	return Tensor{Shape: s, Data: make([]float32, s.Elems())}
}

// Clone copies t.
func (t Tensor) Clone() Tensor {
	return Tensor{Shape: slices.Clone(t.Shape), Data: slices.Clone(t.Data)}
}
