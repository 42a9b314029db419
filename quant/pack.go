package quant

import (
	"fmt"
	"math"
)

// The packed form of a matrix, as the GPU kernels read it: 128-bit words, each with the next numbers of one row (16 of
// int8, 8 halves, 4 floats), in panels of 64 rows:
//
//	[rows/64][cols/perWord][64 slots] words, then [rows] float32 scales
//
// Rows are padded to 64 and columns to whole words, with zeros. Slot s of a panel holds row 4 (s mod 16) + s/16 of it,
// so that the thread which reads slots t, t+16, t+32 and t+48 owns four adjacent outputs of y = x Wᵀ. The same words
// serve the input gradient. All is in uint32, lowest column in the lowest bits, whatever the host's byte order.
const (
	panelRows   = 64
	wordUints   = 4
	panelQuads  = panelRows / 4
	wordInt8s   = 16
	wordHalves  = 8
	wordFloats  = 4
	maxPackable = math.MaxInt32
)

// perWord is how many numbers of a scheme a 128-bit word holds, 0 for an unknown scheme.
func perWord(s Scheme) int {
	switch s {
	case Q8C:
		return wordInt8s
	case F16:
		return wordHalves
	case F32:
		return wordFloats
	}
	return 0
}

// packing is the geometry of a packed matrix.
type packing struct{ rows, cols, per, panels, groups int }

func newPacking(s Scheme, rows, cols int) (packing, error) {
	per := perWord(s)
	if per == 0 {
		return packing{}, fmt.Errorf("pack as %q: %w", s, ErrScheme)
	}
	if rows <= 0 || cols <= 0 || rows > maxPackable/cols {
		return packing{}, fmt.Errorf("pack [%d, %d]: size out of range", rows, cols)
	}
	return packing{rows, cols, per, (rows + panelRows - 1) / panelRows, (cols + per - 1) / per}, nil
}

// word is the index of the first uint32 of a row's group of columns.
func (p packing) word(row, group int) int {
	r := row % panelRows
	slot := r/4 + r%4*panelQuads
	return ((row/panelRows*p.groups+group)*panelRows + slot) * wordUints
}

// scales is the index of the first scale.
func (p packing) scales() int { return p.panels * p.groups * panelRows * wordUints }

func (p packing) uints() int { return p.scales() + p.panels*panelRows }

// Pack returns m's packed form; see the comment at the top of this file.
func (m Matrix) Pack() ([]uint32, error) {
	p, err := newPacking(m.Scheme, m.Rows, m.Cols)
	if err != nil {
		return nil, err
	}
	if n := m.stored(); n != m.Rows*m.Cols || m.Scale != nil && len(m.Scale) != m.Rows {
		return nil, fmt.Errorf("pack [%d, %d]: %d elements and %d scales: size mismatch", m.Rows, m.Cols, n, len(m.Scale))
	}
	out := make([]uint32, p.uints())
	for r := range m.Rows {
		for g := range p.groups {
			k := g * p.per
			m.packWord(out[p.word(r, g):][:wordUints], r*m.Cols+k, min(p.per, m.Cols-k))
		}
		scale := float32(1)
		if m.Scale != nil {
			scale = m.Scale[r]
		}
		out[p.scales()+r] = math.Float32bits(scale)
	}
	return out, nil
}

// packWord fills a word with n elements from index at on.
func (m Matrix) packWord(dst []uint32, at, n int) {
	switch m.Scheme {
	case Q8C:
		for i, q := range m.Int8[at : at+n] {
			dst[i/4] |= uint32(uint8(q)) << (i % 4 * 8)
		}
	case F16:
		for i, h := range m.Half[at : at+n] {
			dst[i/2] |= uint32(h) << (i % 2 * 16)
		}
	default:
		for i, f := range m.Float[at : at+n] {
			dst[i] = math.Float32bits(f)
		}
	}
}

// Unpack is the inverse of Pack. The matrix has scales even where the packed one had none.
func Unpack(s Scheme, rows, cols int, packed []uint32) (Matrix, error) {
	p, err := newPacking(s, rows, cols)
	if err != nil {
		return Matrix{}, err
	}
	if len(packed) != p.uints() {
		return Matrix{}, fmt.Errorf("unpack [%d, %d] from %d words, expected %d: size mismatch", rows, cols, len(packed), p.uints())
	}
	m := Matrix{Scheme: s, Rows: rows, Cols: cols, Scale: make([]float32, rows)}
	for r := range rows {
		m.Scale[r] = math.Float32frombits(packed[p.scales()+r])
		for g := range p.groups {
			m.unpackWord(packed[p.word(r, g):][:wordUints], min(p.per, cols-g*p.per))
		}
	}
	return m, nil
}

// unpackWord appends n elements of a word.
func (m *Matrix) unpackWord(w []uint32, n int) {
	for i := range n {
		switch m.Scheme {
		case Q8C:
			m.Int8 = append(m.Int8, int8(w[i/4]>>(i%4*8)))
		case F16:
			m.Half = append(m.Half, uint16(w[i/2]>>(i%2*16)))
		default:
			m.Float = append(m.Float, math.Float32frombits(w[i]))
		}
	}
}

// stored is the number of elements in the slice that the scheme names.
func (m Matrix) stored() int {
	switch m.Scheme {
	case Q8C:
		return len(m.Int8)
	case F16:
		return len(m.Half)
	}
	return len(m.Float)
}
