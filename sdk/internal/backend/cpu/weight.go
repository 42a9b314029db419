package cpu

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// weight is a frozen matrix [rows, cols] in panels of nr rows: element (r, c) is at ((r/nr) cols + c) nr + r%nr. Rows
// beyond the matrix are zero. One of int8s, halves and floats holds the elements. Immutable. It implements host.Packed.
type weight struct {
	rows, cols, nr int
	int8s          []int8
	halves         []uint16
	floats         []float32
	scale          []float32 // by row, whole panels; ones where the scheme has none
}

// pack copies m into panels.
func pack(m quant.Matrix, nr int) *weight {
	w := &weight{rows: m.Rows, cols: m.Cols, nr: nr, scale: make([]float32, pieces(m.Rows, nr)*nr)}
	for i := range w.scale {
		w.scale[i] = 1
	}
	copy(w.scale, m.Scale)
	switch m.Scheme {
	case quant.Q8C:
		w.int8s = packPanels(m.Int8, m.Rows, m.Cols, nr)
	case quant.F16:
		w.halves = packPanels(m.Half, m.Rows, m.Cols, nr)
	default:
		w.floats = packPanels(m.Float, m.Rows, m.Cols, nr)
		w.scaleFloats()
	}
	return w
}

func packPanels[T any](src []T, rows, cols, nr int) []T {
	dst := make([]T, pieces(rows, nr)*nr*cols)
	for r := range rows {
		at := r/nr*nr*cols + r%nr
		for c, v := range src[r*cols : (r+1)*cols] {
			dst[at+c*nr] = v
		}
	}
	return dst
}

// scaleFloats applies the scales of a float32 matrix once and for all.
func (w *weight) scaleFloats() {
	for i := range w.floats {
		w.floats[i] *= w.scale[i/(w.nr*w.cols)*w.nr+i%w.nr]
	}
	for i := range w.scale {
		w.scale[i] = 1
	}
}

// DequantizeRow implements ref.Weight.
func (w *weight) DequantizeRow(dst []float32, row int) {
	at := row/w.nr*w.nr*w.cols + row%w.nr
	for c := range dst {
		var v float32
		switch i := at + c*w.nr; {
		case w.int8s != nil:
			v = float32(w.int8s[i])
		case w.halves != nil:
			v = quant.FromF16(w.halves[i])
		default:
			v = w.floats[i]
		}
		dst[c] = v * w.scale[row]
	}
}

// Bytes implements host.Packed.
func (w *weight) Bytes() int {
	return len(w.int8s) + 2*len(w.halves) + 4*len(w.floats) + 4*len(w.scale)
}

// widen returns columns c to c+n of panel p as float32, scales applied; dst has room for them.
func (w *weight) widen(set *simd.Set, dst []float32, p, c, n int) []float32 {
	from, to := (p*w.cols+c)*w.nr, (p*w.cols+c+n)*w.nr
	scale := w.scale[p*w.nr : (p+1)*w.nr]
	switch {
	case w.int8s != nil:
		set.WidenInt8(dst, w.int8s[from:to], scale)
	case w.halves != nil:
		set.WidenHalf(dst, w.halves[from:to], scale)
	default:
		return w.floats[from:to]
	}
	return dst
}

// forward is Wᵀ [cols, rows] as a right-hand side: its panels are those of the weight.
type forward struct {
	set *simd.Set
	w   *weight
}

func (f forward) panel(_ *worker, dst []float32, p, k0, k int) []float32 {
	return f.w.widen(f.set, dst, p, k0, k)
}

// backward is W [rows, cols] as a right-hand side: sums run over the weight's rows. Blocks of NR x NR are widened and
// transposed.
type backward struct {
	set *simd.Set
	w   *weight
}

func (b backward) panel(w *worker, dst []float32, p, k0, k int) []float32 {
	nr := b.set.NR
	columns := min(nr, b.w.cols-p*nr)
	if columns < nr {
		clear(dst)
	}
	for l := 0; l < k; l += nr {
		block := b.w.widen(b.set, w.block[:columns*nr], (k0+l)/nr, p*nr, columns)
		b.set.Transpose(dst[l*nr:], nr, block, nr, columns, min(nr, k-l))
	}
	return dst
}
