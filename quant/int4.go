package quant

import (
	"fmt"
	"math"
)

// The integers of int4 weights. Rounding uses -7 to 7, which is symmetric; calibrated weights and those of other
// programs may hold -8 too.
const (
	MinInt4 = -8
	MaxInt4 = 7

	int4Zero  = 8 // what stands for 0 in Matrix.Int4
	wordInt4s = 8 // columns of a word
)

// Words is the number of uint32 of a row of Int4. The unused bits of a row's last word mean nothing.
func (m Matrix) Words() int { return (m.Cols-1)/wordInt4s + 1 }

// Groups is the number of scales of a row of Int4; the last group may be shorter.
func (m Matrix) Groups() int { return (m.Cols-1)/m.Scheme.Group() + 1 }

// Int4Row writes the integers of one row of Int4 to dst, which has Cols elements.
func (m Matrix) Int4Row(dst []int8, row int) {
	words := m.Int4[row*m.Words() : (row+1)*m.Words()]
	for len(dst) >= wordInt4s {
		w, d := words[0], dst[:wordInt4s]
		for i := range d {
			d[i] = int8(w>>(4*i)&15) - int4Zero
		}
		words, dst = words[1:], dst[wordInt4s:]
	}
	for i := range dst {
		dst[i] = int8(words[0]>>(4*i)&15) - int4Zero
	}
}

// int4At is one integer.
func (m Matrix) int4At(row, col int) int8 {
	return int8(m.Int4[row*m.Words()+col/wordInt4s]>>(col%wordInt4s*4)&15) - int4Zero
}

// setInt4Row stores the integers of one row, -8 to 7.
func (m Matrix) setInt4Row(row int, q []int8) {
	words := m.Int4[row*m.Words() : (row+1)*m.Words()]
	clear(words)
	for i, v := range q {
		words[i/wordInt4s] |= uint32(v+int4Zero) << (i % wordInt4s * 4)
	}
}

// GroupScales writes the scales of the groups of one row to dst, which has Groups() elements. The row's own factor
// RowScale is not in them.
func (m Matrix) GroupScales(dst []float32, row int) {
	for i, h := range m.GroupScale[row*m.Groups() : (row+1)*m.Groups()] {
		dst[i] = FromF16(h)
	}
}

// dequantizeInt4Row is DequantizeRow.
func (m Matrix) dequantizeInt4Row(dst []float32, row int) {
	words, group, factor := m.Int4[row*m.Words():(row+1)*m.Words()], m.Scheme.Group(), m.RowScale(row)
	for g, h := range m.GroupScale[row*m.Groups() : (row+1)*m.Groups()] {
		scale := FromF16(h)
		for c := g * group; c < min((g+1)*group, m.Cols); c++ {
			q := int8(words[c/wordInt4s]>>(c%wordInt4s*4)&15) - int4Zero
			dst[c] = float32(q) * scale * factor // the first product is exact: 4 bits times 11
		}
	}
}

// newInt4 is a matrix with room for its numbers.
func newInt4(s Scheme, rows, cols int) Matrix {
	m := Matrix{Scheme: s, Rows: rows, Cols: cols}
	m.Int4, m.GroupScale = make([]uint32, rows*m.Words()), make([]uint16, rows*m.Groups())
	return m
}

// int4Groups is Quantize for the int4 schemes.
func int4Groups(m Matrix, w []float32) (Matrix, error) {
	m = newInt4(m.Scheme, m.Rows, m.Cols)
	group, groups, q := m.Scheme.Group(), m.Groups(), make([]int8, m.Cols)
	for r := range m.Rows {
		row := w[r*m.Cols : (r+1)*m.Cols]
		for g := range groups {
			lo, hi := g*group, min((g+1)*group, m.Cols)
			scale := int4Scale(row[lo:hi], nil)
			if scale&0x7c00 == 0x7c00 {
				return m, fmt.Errorf("weights [%d, %d] to [%d, %d] reach %v, the scales of %s end at 65504: %w",
					r, lo, r, hi-1, largest(row[lo:hi]), m.Scheme, ErrValue)
			}
			m.GroupScale[r*groups+g] = scale
			for i, v := range row[lo:hi] {
				q[lo+i] = roundInt4(v, FromF16(scale), -MaxInt4)
			}
		}
		m.setInt4Row(r, q)
	}
	return m, nil
}

// Candidates of a group's scale: its largest magnitude over 7, and ever smaller, down to 0.5 of that. A smaller scale cuts the
// few largest weights and is finer for all others.
const (
	scaleSteps    = 25
	scaleStepSize = 0.02
)

// int4Scale returns the half that gives the rounded group the smallest squared error, each weight's error multiplied by
// importance unless that is nil; the largest of equally good ones. It is infinite where the weights are too large for one.
func int4Scale(w, importance []float32) uint16 {
	top, best, least := largest(w)/MaxInt4, uint16(0), math.Inf(1)
	for i := range scaleSteps {
		h := ToF16(top * float32(1-scaleStepSize*float64(i)))
		if i == 0 && h&0x7c00 == 0x7c00 {
			return h
		}
		if e := int4Error(w, importance, FromF16(h)); e < least {
			best, least = h, e
		}
	}
	return best
}

// int4Error is the squared error of a group rounded with a scale.
func int4Error(w, importance []float32, scale float32) (sum float64) {
	for i, v := range w {
		d := v - float32(roundInt4(v, scale, -MaxInt4))*scale
		if importance != nil {
			d *= d * importance[i]
		} else {
			d *= d
		}
		sum += float64(d)
	}
	return sum
}

// roundInt4 is the integer nearest to v / scale, ties to even, from least to 7; 0 where the scale is.
func roundInt4(v, scale float32, least float64) int8 {
	if scale == 0 {
		return 0
	}
	return int8(min(max(math.RoundToEven(float64(v/scale)), least), MaxInt4))
}

// largest is the largest magnitude.
func largest(w []float32) (top float32) {
	for _, v := range w {
		top = max(top, float32(math.Abs(float64(v))))
	}
	return top
}
