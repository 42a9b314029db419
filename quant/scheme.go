package quant

import (
	"errors"
	"fmt"
)

// Scheme names a storage form of frozen weights; see the package comment.
type Scheme string

// The schemes that exist.
const (
	F32 Scheme = "f32"
	F16 Scheme = "f16"
	Q8C Scheme = "q8c"
)

// ErrScheme says that a name is no scheme.
var ErrScheme = errors.New("unknown quantisation scheme")

// ParseScheme reads a scheme's name as the command line and backbone files write it.
func ParseScheme(name string) (Scheme, error) {
	switch s := Scheme(name); s {
	case F32, F16, Q8C:
		return s, nil
	}
	return "", fmt.Errorf("scheme %q, expected q8c, f16 or f32: %w", name, ErrScheme)
}

// Matrix is one frozen weight matrix of a linear layer, y = x Wᵀ: Rows outputs by Cols inputs, row-major.
// Exactly one of Int8, Half and Float holds the elements, chosen by Scheme. An element's value is
// Scale[row] times the stored number; a nil Scale stands for all ones. Immutable once made; the slices may
// alias a mapped file.
type Matrix struct {
	Scheme     Scheme
	Rows, Cols int
	Int8       []int8
	Half       []uint16
	Float      []float32
	Scale      []float32
}
