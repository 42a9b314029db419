package quant

import (
	"fmt"
	"math"
)

// The packed form of a matrix, as the GPU kernels read it: 128-bit words, each with the next numbers of one row (32 of
// int4, 16 of int8, 8 halves, 4 floats), in panels of 64 rows:
//
//	[rows/64][cols/perWord][64 slots] words, then [rows] float32 scales
//
// and in the int4 schemes, between them, the scales of the groups as halves
//
//	[rows/64][groups][64 rows], rows in their order and not that of slots
//
// Rows are padded to 64 and columns to whole words, with zeros. Slot s of a panel holds row 4 (s mod 16) + s/16 of it,
// so that the thread which reads slots t, t+16, t+32 and t+48 owns four adjacent outputs of y = x Wᵀ. The same words
// serve the input gradient. All is in uint32, lowest column in the lowest bits, whatever the host's byte order; but an
// int4 uint32 has columns k to k+3 in the low and k+4 to k+7 in the high halves of its bytes, in two's complement, so that
// w << 4 & 0xf0f0f0f0 and w & 0xf0f0f0f0 are each four int8 of 16 times the weights.
const (
	panelRows   = 64
	wordUints   = 4
	panelQuads  = panelRows / 4
	panelInt4s  = 32
	wordInt8s   = 16
	wordHalves  = 8
	wordFloats  = 4
	maxPackable = math.MaxInt32
)

// perWord is how many numbers of a scheme a 128-bit word holds, 0 for an unknown scheme.
func perWord(s Scheme) int {
	switch s {
	case Q4G, Q4G32, Q4G128:
		return panelInt4s
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
type packing struct {
	rows, cols, per, panels int
	words                   int // 128-bit words of a row
	groups                  int // of columns with a scale, in the int4 schemes
}

func newPacking(s Scheme, rows, cols int) (packing, error) {
	per := perWord(s)
	if per == 0 {
		return packing{}, fmt.Errorf("pack as %q: %w", s, ErrScheme)
	}
	if rows <= 0 || cols <= 0 || rows > maxPackable/cols {
		return packing{}, fmt.Errorf("pack [%d, %d]: size out of range", rows, cols)
	}
	p := packing{rows: rows, cols: cols, per: per, panels: (rows-1)/panelRows + 1, words: (cols-1)/per + 1}
	if g := s.Group(); g > 0 {
		p.groups = (cols-1)/g + 1
	}
	return p, nil
}

// word is the index of the first uint32 of a row's word.
func (p packing) word(row, word int) int {
	r := row % panelRows
	slot := r/4 + r%4*panelQuads
	return ((row/panelRows*p.words+word)*panelRows + slot) * wordUints
}

// groupScales is the index of the first scale of a group.
func (p packing) groupScales() int { return p.panels * p.words * panelRows * wordUints }

// groupScale says which half of which uint32 is the scale of a row's group.
func (p packing) groupScale(row, group int) (uint, shift int) {
	i := (row/panelRows*p.groups+group)*panelRows + row%panelRows
	return p.groupScales() + i/2, i % 2 * 16
}

// scales is the index of the first row's scale.
func (p packing) scales() int { return p.groupScales() + p.panels*p.groups*panelRows/2 }

func (p packing) uints() int { return p.scales() + p.panels*panelRows }

// PackedLen is the length of what Pack returns for a matrix of that shape.
func PackedLen(s Scheme, rows, cols int) (int, error) {
	p, err := newPacking(s, rows, cols)
	return p.uints(), err
}

// Pack returns m's packed form; see the comment at the top of this file.
func (m Matrix) Pack() ([]uint32, error) {
	p, err := newPacking(m.Scheme, m.Rows, m.Cols)
	if err != nil {
		return nil, err
	}
	if err := m.Check(); err != nil {
		return nil, err
	}
	out := make([]uint32, p.uints())
	for r := range m.Rows {
		for i := range p.words {
			m.packWord(out[p.word(r, i):][:wordUints], r, i*p.per, min(p.per, m.Cols-i*p.per))
		}
		for g := range p.groups {
			at, shift := p.groupScale(r, g)
			out[at] |= uint32(m.GroupScale[r*p.groups+g]) << shift
		}
		scale := float32(1)
		if m.Scale != nil {
			scale = m.Scale[r]
		}
		out[p.scales()+r] = math.Float32bits(scale)
	}
	return out, nil
}

// packWord fills a word with n elements of a row from column k on.
func (m Matrix) packWord(dst []uint32, row, k, n int) {
	at := row*m.Cols + k
	switch m.Scheme {
	case Q4G, Q4G32, Q4G128:
		for i := range n {
			dst[i/8] |= uint32(m.int4At(row, k+i)&15) << int4Shift(i)
		}
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
	}
	if p.groups > 0 {
		m.unpackInt4(p, packed)
		return m, nil
	}
	for r := range rows {
		for i := range p.words {
			m.unpackWord(packed[p.word(r, i):][:wordUints], min(p.per, cols-i*p.per))
		}
	}
	return m, nil
}

// int4Shift is where int4 i of a word lies in its uint32.
func int4Shift(i int) int { return i%4*8 + i/4%2*4 }

// unpackInt4 sets Int4 and GroupScale.
func (m *Matrix) unpackInt4(p packing, packed []uint32) {
	filled, q := newInt4(m.Scheme, m.Rows, m.Cols), make([]int8, m.Cols)
	for r := range m.Rows {
		for c := range q {
			w := packed[p.word(r, c/p.per)+c%p.per/8]
			q[c] = int8(w>>int4Shift(c%p.per)<<4) >> 4
		}
		filled.setInt4Row(r, q)
		for g := range p.groups {
			at, shift := p.groupScale(r, g)
			filled.GroupScale[r*p.groups+g] = uint16(packed[at] >> shift)
		}
	}
	m.Int4, m.GroupScale = filled.Int4, filled.GroupScale
}

// unpackWord appends n elements of a word of any other scheme.
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
