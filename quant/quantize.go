package quant

import (
	"errors"
	"fmt"
	"math"
)

// ErrValue says that a weight has no place in the scheme: a NaN, an infinity, or past the range of f16.
var ErrValue = errors.New("value cannot be quantised")

// MaxInt8 is the largest magnitude q8c uses; -128 stays unused, so that the range is symmetric.
const MaxInt8 = 127

// MaxPair is what two int8 weights of a row in columns 2i and 2i+1 may come to together for the fastest product of AVX2, which
// adds such pairs in 16 bits: activations are at most 255 there, and 255 · 128 is below 2^15.
const MaxPair = 128

// Quantize stores w, a row-major [rows, cols] matrix, in scheme s. Each scheme rounds to nearest, ties to even:
//
//	q8c  scale = max|row| / 127 in float32, q = round(w / scale); a zero row has scale 0 and q 0
//	q4g  for each group of columns the half-precision scale with the smallest squared error among candidates up to
//	     max|group| / 7, q = round(w / scale) within -7 to 7
//	f16  half(w)
//	f32  w itself: the result aliases w
//
// It returns ErrValue, with row and column, for a weight that is no finite number of the scheme.
func Quantize(s Scheme, w []float32, rows, cols int) (Matrix, error) {
	m := Matrix{Scheme: s, Rows: rows, Cols: cols}
	if err := checkWeights(w, rows, cols); err != nil {
		return m, err
	}
	switch s {
	case F32:
		m.Float = w
	case F16:
		return halves(m, w)
	case Q8C:
		return int8Rows(m, w, func(row []float32) float64 { return float64(largest(row)) }), nil
	case Q4G, Q4G32, Q4G128:
		return int4Groups(m, w)
	default:
		return m, fmt.Errorf("quantise as %q: %w", s, ErrScheme)
	}
	return m, nil
}

// QuantizePairs stores w as q8c like Quantize, but with
//
//	scale = max(|w[2i]|, |w[2i+1]|, |w[2i] + w[2i+1]|) / 127, the largest of a row
//
// so that no two weights in columns 2i and 2i+1 come to more than MaxPair together.
func QuantizePairs(w []float32, rows, cols int) (Matrix, error) {
	m := Matrix{Scheme: Q8C, Rows: rows, Cols: cols}
	if err := checkWeights(w, rows, cols); err != nil {
		return m, err
	}
	return int8Rows(m, w, func(row []float32) float64 { return max(float64(largest(row)), widestPair(row)) }), nil
}

// QuantizeDefault stores w in scheme s as models have it: q8c by QuantizePairs, the others by Quantize.
func QuantizeDefault(s Scheme, w []float32, rows, cols int) (Matrix, error) {
	if s == Q8C {
		return QuantizePairs(w, rows, cols)
	}
	return Quantize(s, w, rows, cols)
}

// widestPair is the largest magnitude of the sums of columns 2i and 2i+1.
func widestPair(row []float32) (pair float64) {
	for i := 1; i < len(row); i += 2 {
		pair = max(pair, math.Abs(float64(row[i-1])+float64(row[i])))
	}
	return pair
}

// PairsFit is whether m is int8 with no two elements in columns 2i and 2i+1 that come to more than MaxPair.
func (m Matrix) PairsFit() bool {
	for r := 0; r < m.Rows && m.Int8 != nil; r++ {
		row := m.Int8[r*m.Cols : (r+1)*m.Cols]
		for c := 1; c < len(row); c += 2 {
			if pair := int(row[c-1]) + int(row[c]); pair > MaxPair || pair < -MaxPair {
				return false
			}
		}
	}
	return m.Int8 != nil
}

// checkWeights makes sure that w is a matrix of finite numbers.
func checkWeights(w []float32, rows, cols int) error {
	if rows <= 0 || cols <= 0 || len(w) != rows*cols {
		return fmt.Errorf("quantise %d values as [%d, %d]: size mismatch", len(w), rows, cols)
	}
	for i, v := range w {
		if d := v - v; d != 0 { // NaN for a NaN or an infinity
			return fmt.Errorf("weight [%d, %d] is %v: %w", i/cols, i%cols, v, ErrValue)
		}
	}
	return nil
}

func halves(m Matrix, w []float32) (Matrix, error) {
	m.Half = make([]uint16, len(w))
	for i, v := range w {
		m.Half[i] = ToF16(v)
		if m.Half[i]&0x7fff == 0x7c00 {
			return m, fmt.Errorf("weight [%d, %d] is %v, f16 ends at 65504: %w", i/m.Cols, i%m.Cols, v, ErrValue)
		}
	}
	return m, nil
}

// int8Rows fills m, where top is the magnitude of a row that becomes 127.
func int8Rows(m Matrix, w []float32, top func(row []float32) float64) Matrix {
	m.Int8, m.Scale = make([]int8, len(w)), make([]float32, m.Rows)
	for r := range m.Rows {
		row := w[r*m.Cols : (r+1)*m.Cols]
		m.Scale[r] = int8Row(m.Int8[r*m.Cols:(r+1)*m.Cols], row, top(row))
	}
	return m
}

// int8Row fills q with round(w / scale) and returns the scale, which takes top to 127.
func int8Row(q []int8, w []float32, top float64) float32 {
	scale := float32(top / MaxInt8)
	if scale == 0 { // a zero row, or one so small that its scale vanishes
		clear(q)
		return 0
	}
	for i, v := range w {
		// The clamp matters only where the scale is subnormal, and so too coarse.
		q[i] = int8(min(max(math.RoundToEven(float64(v/scale)), -MaxInt8), MaxInt8))
	}
	return scale
}

// Dequantize writes the values that the matrix stands for to dst, which has Rows x Cols elements.
func (m Matrix) Dequantize(dst []float32) {
	for r := range m.Rows {
		m.DequantizeRow(dst[r*m.Cols:(r+1)*m.Cols], r)
	}
}

// RowScale is the factor of a row's stored numbers.
func (m Matrix) RowScale(row int) float32 {
	if m.Scale == nil {
		return 1
	}
	return m.Scale[row]
}

// DequantizeRow writes the values of one row to dst, which has Cols elements. Each is the stored number times the row's
// scale, in float32; that of an int4 is its integer times the scale of its group, which float32 holds exactly.
func (m Matrix) DequantizeRow(dst []float32, row int) {
	scale := m.RowScale(row)
	lo, hi := row*m.Cols, (row+1)*m.Cols
	switch m.Scheme {
	case Q8C:
		for i, q := range m.Int8[lo:hi] {
			dst[i] = float32(q) * scale
		}
	case Q4G, Q4G32, Q4G128:
		m.dequantizeInt4Row(dst, row)
	case F16:
		for i, h := range m.Half[lo:hi] {
			dst[i] = FromF16(h) * scale
		}
	default:
		for i, f := range m.Float[lo:hi] {
			dst[i] = f * scale
		}
	}
}

// Bytes is the memory that the elements and scales occupy.
func (m Matrix) Bytes() int {
	return len(m.Int8) + 4*len(m.Int4) + 2*len(m.GroupScale) + 2*len(m.Half) + 4*len(m.Float) + 4*len(m.Scale)
}
