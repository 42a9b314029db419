package quant

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Scheme names a storage form of frozen weights; see the package comment.
type Scheme string

// The schemes that exist.
const (
	F32    Scheme = "f32"
	F16    Scheme = "f16"
	Q8C    Scheme = "q8c"
	Q4G    Scheme = "q4g"    // groups of 64 columns
	Q4G32  Scheme = "q4g32"  // of 32
	Q4G128 Scheme = "q4g128" // of 128
)

// Schemes are all of them, the default first.
var Schemes = []Scheme{Q8C, Q4G, Q4G32, Q4G128, F16, F32}

// ErrScheme says that a name is no scheme.
var ErrScheme = errors.New("unknown quantisation scheme")

// ParseScheme reads a scheme's name as the command line and backbone files write it.
func ParseScheme(name string) (Scheme, error) {
	if s := Scheme(name); slices.Contains(Schemes, s) {
		return s, nil
	}
	return "", fmt.Errorf("scheme %q, expected one of %v: %w", name, Schemes, ErrScheme)
}

// Group is how many neighbouring columns of a row share a scale in the int4 schemes, 0 in the others.
func (s Scheme) Group() int {
	switch s {
	case Q4G:
		return 64
	case Q4G32:
		return 32
	case Q4G128:
		return 128
	}
	return 0
}

// Integers is whether the weights are integers with scales, so that int8 activations have something to meet.
func (s Scheme) Integers() bool { return s == Q8C || s.Group() > 0 }

// Matrix is one frozen weight matrix of a linear layer, y = x Wᵀ: Rows outputs by Cols inputs, row-major.
// Exactly one of Int8, Int4, Half and Float holds the elements, chosen by Scheme. An element's value is
// Scale[row] times the stored number; a nil Scale stands for all ones. In the int4 schemes the stored number is itself
// an integer times the scale of its group. Immutable once made; the slices may alias a mapped file.
type Matrix struct {
	Scheme     Scheme
	Rows, Cols int
	Int8       []int8
	Int4       []uint32 // [Rows, Words()]: eight columns a word, the lowest in the lowest bits, each as the integer plus 8
	GroupScale []uint16 // [Rows, Groups()] halves, of Int4
	Half       []uint16
	Float      []float32
	Scale      []float32
}

// Check returns an error that says so where the sizes of m's slices do not fit its shape.
func (m Matrix) Check() error {
	if m.Rows <= 0 || m.Cols <= 0 || m.Rows > math.MaxInt32/m.Cols {
		return fmt.Errorf("matrix [%d, %d]: size out of range", m.Rows, m.Cols)
	}
	got, want := 0, m.Rows*m.Cols
	switch m.Scheme {
	case Q8C:
		got = len(m.Int8)
	case Q4G, Q4G32, Q4G128:
		got, want = len(m.Int4), m.Rows*m.Words()
		if n := m.Rows * m.Groups(); len(m.GroupScale) != n {
			return fmt.Errorf("matrix [%d, %d] has %d scales of groups, expected %d: size mismatch", m.Rows, m.Cols, len(m.GroupScale), n)
		}
	case F16:
		got = len(m.Half)
	case F32:
		got = len(m.Float)
	default:
		return fmt.Errorf("matrix of scheme %q: %w", m.Scheme, ErrScheme)
	}
	if got != want || m.Scale != nil && len(m.Scale) != m.Rows {
		return fmt.Errorf("matrix [%d, %d] has %d elements, expected %d, and %d scales: size mismatch", m.Rows, m.Cols, got, want, len(m.Scale))
	}
	return nil
}

// Slice is rows [from, to) of m, in m's memory.
func (m Matrix) Slice(from, to int) Matrix {
	groups := 0
	if m.Scheme.Group() > 0 {
		groups = m.Groups()
	}
	return Matrix{Scheme: m.Scheme, Rows: to - from, Cols: m.Cols,
		Int8: rowsOf(m.Int8, from, to, m.Cols), Half: rowsOf(m.Half, from, to, m.Cols), Float: rowsOf(m.Float, from, to, m.Cols),
		Int4: rowsOf(m.Int4, from, to, m.Words()), GroupScale: rowsOf(m.GroupScale, from, to, groups), Scale: rowsOf(m.Scale, from, to, 1)}
}

// rowsOf are rows [from, to) of n numbers each, nil where there are none.
func rowsOf[T any](x []T, from, to, n int) []T {
	if x == nil {
		return nil
	}
	return x[from*n : to*n]
}
