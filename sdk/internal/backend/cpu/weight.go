package cpu

import (
	"bytes"
	"encoding/binary"
	"sync"
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
	"github.com/pkg/errors"
)

// weight is a frozen matrix [rows, cols] in panels of nr rows: element (r, c) is at ((r/nr) cols + c) nr + r%nr; int8
// goes in groups of columns, as simd.Set.WidenInt8 says. Rows beyond the matrix are zero, and columns beyond the last
// group. One of int8s, nibbles, halves and floats holds the elements. Immutable. It implements host.Packed.
type weight struct {
	rows, cols, nr int
	group          int // columns that lie together: KGroup for int8, else 1
	int8s          []int8
	pairs          bool     // int8s are such as simd.Set.Pairs takes, and the set has it
	nibbles        *nibbles // int4
	halves         []uint16
	floats         []float32
	scale          []float32 // by row, whole panels; ones where the scheme has none

	mu     sync.Mutex
	starts map[startKey][]int32
}

// startKey says for which products sums begin: the block, and whether they run over the rows, backward.
type startKey struct {
	block    int
	backward bool
}

// pack copies m into panels. It returns quant.ErrValue for an int8 of -128, which the kernels leave no room for.
func pack(m quant.Matrix, set *simd.Set) (*weight, error) {
	if i := bytes.IndexByte(unsigned(m.Int8), 0x80); i >= 0 {
		return nil, errors.WithMessagef(quant.ErrValue, "int8 weight [%d, %d] is -128, expected -127 to 127", i/m.Cols, i%m.Cols)
	}
	nr := set.NR
	if m.Scheme.Group() > 0 {
		nr = simd.Int4Columns
	}
	w := &weight{rows: m.Rows, cols: m.Cols, nr: nr, group: 1, scale: make([]float32, pieces(m.Rows, nr)*nr)}
	for i := range w.scale {
		w.scale[i] = 1
	}
	copy(w.scale, m.Scale)
	switch m.Scheme {
	case quant.Q8C:
		w.group = set.KGroup
		w.int8s = packGroups(w, set, m.Int8)
		w.pairs = set.Pairs != nil && w.widestPair(set.Pairs) <= quant.MaxPair
	case quant.Q4G, quant.Q4G32, quant.Q4G128:
		w.nibbles = packNibbles(w, m)
	case quant.F16:
		w.halves = packPanels(w, m.Half)
	default:
		w.floats = packPanels(w, m.Float)
		w.scaleFloats()
	}
	return w, nil
}

func packPanels[T any](w *weight, src []T) []T {
	dst := make([]T, pieces(w.rows, w.nr)*w.nr*w.depth())
	for r := range w.rows {
		for c, v := range src[r*w.cols : (r+1)*w.cols] {
			dst[w.index(r, c)] = v
		}
	}
	return dst
}

// packGroups is packPanels for groups of several bytes: loading a model waits for it.
func packGroups(w *weight, set *simd.Set, src []int8) []int8 {
	out := make([]int8, pieces(w.rows, w.nr)*w.nr*w.depth())
	if from, to := words(src), words(out); w.group == 4 && w.cols%4 == 0 && from != nil && to != nil {
		// A group is a word, and a panel the transpose of its rows.
		k := w.cols / 4
		for r := 0; r < w.rows; r += w.nr {
			set.Transpose(to[r*k:], w.nr, from[r*k:], k, min(w.nr, w.rows-r), k)
		}
		return out
	}
	for r := range w.rows {
		row, at := src[r*w.cols:(r+1)*w.cols], w.index(r, 0)
		for c := 0; c < w.cols; c += w.group {
			copy(out[at:at+w.group], row[c:])
			at += w.nr * w.group
		}
	}
	return out
}

// words is x as words to be moved about, whatever they mean as floats; nil where they are not aligned.
func words(x []int8) []float32 {
	at := unsafe.Pointer(unsafe.SliceData(x))
	if uintptr(at)%unsafe.Alignof(float32(0)) != 0 {
		return nil
	}
	return unsafe.Slice((*float32)(at), len(x)/4)
}

// unsigned is x seen as bytes.
func unsigned(x []int8) []uint8 {
	return unsafe.Slice((*uint8)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// depth is the number of columns with those that fill up the last group.
func (w *weight) depth() int { return pieces(w.cols, w.group) * w.group }

// index is the place of an element.
func (w *weight) index(r, c int) int {
	panel := r / w.nr * w.nr * w.depth()
	return panel + (c/w.group*w.nr+r%w.nr)*w.group + c%w.group
}

// widestPair is the largest magnitude that two neighbouring elements of a group have together.
func (w *weight) widestPair(p *simd.Int8) (pair int32) {
	sums, panel := make([]int32, w.nr), w.nr*w.depth()
	for at := 0; at < len(w.int8s); at += panel {
		pair = max(pair, p.SumInt8(sums, w.int8s[at:at+panel]))
	}
	return pair
}

// start is what simd.Int8.GemmInt8 begins its sums with, by panel, block and row.
func (w *weight) start(p *simd.Int8, block int) []int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := startKey{block: block}
	if s := w.starts[key]; s != nil {
		return s
	}
	blocks, depth := quant.ActivationBlocks(w.cols, block), w.depth()
	s := make([]int32, pieces(w.rows, w.nr)*blocks*w.nr)
	for at := 0; at < len(s) && p.Zero != 0; at += w.nr {
		panel, b := at/w.nr/blocks, at/w.nr%blocks
		from, to := b*block, depth
		if b < blocks-1 {
			to = from + block
		}
		sums := s[at : at+w.nr]
		p.SumInt8(sums, w.int8s[(panel*depth+from)*w.nr:(panel*depth+to)*w.nr])
		for i := range sums {
			sums[i] *= -int32(p.Zero)
		}
	}
	return w.keep(key, s)
}

func (w *weight) keep(key startKey, s []int32) []int32 {
	if w.starts == nil {
		w.starts = map[startKey][]int32{}
	}
	w.starts[key] = s
	return s
}

// startBackward is start for sums over the rows, by panel of columns, block of rows and column.
func (w *weight) startBackward(zero uint8, block int) []int32 {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := startKey{block: block, backward: true}
	if s := w.starts[key]; s != nil {
		return s
	}
	blocks := quant.ActivationBlocks(w.rows, block)
	s := make([]int32, pieces(w.cols, w.nr)*blocks*w.nr)
	for r := 0; r < w.rows && zero != 0; r++ {
		for c := 0; c < w.cols; c += w.group {
			sums := s[(c/w.nr*blocks+r/block)*w.nr+c%w.nr:]
			for i, v := range w.int8s[w.index(r, c):][:min(w.group, w.cols-c)] {
				sums[i] -= int32(zero) * int32(v)
			}
		}
	}
	return w.keep(key, s)
}

// packColumns writes the panel of columns p nr to (p+1) nr as simd.Int8.GemmInt8 takes it: groups of rows. Rows and
// columns beyond the matrix are zero.
func (w *weight) packColumns(dst []int8, p int) {
	for r := 0; r < w.rows; r += w.group {
		to := dst[r*w.nr:][:w.group*w.nr]
		for c := 0; c < w.nr; c += w.group {
			if p*w.nr+c >= w.depth() {
				clear(to[c*w.group:])
				break
			}
			// The group x group bytes lie w.group apart: rows of one panel are neighbours. nr is a multiple of group.
			transposeBytes(to[c*w.group:], w.int8s[w.index(r, p*w.nr+c):], w.group)
		}
	}
}

// transposeBytes transposes a block of n x n bytes, n being 4 or 8.
func transposeBytes(dst, src []int8, n int) {
	if n != 4 {
		for i := range n {
			for j := range n {
				dst[j*n+i] = src[i*n+j]
			}
		}
		return
	}
	from, to := unsigned(src[:16]), unsigned(dst[:16])
	load, store := binary.LittleEndian.Uint32, binary.LittleEndian.PutUint32
	a, b, c, d := load(from), load(from[4:]), load(from[8:]), load(from[12:])
	const even, low = 0x00ff00ff, 0x0000ffff
	ab, AB := a&even|b&even<<8, a>>8&even|b&^even // columns 0 and 2, 1 and 3 of rows a and b
	cd, CD := c&even|d&even<<8, c>>8&even|d&^even
	store(to, ab&low|cd<<16)
	store(to[4:], AB&low|CD<<16)
	store(to[8:], ab>>16|cd&^low)
	store(to[12:], AB>>16|CD&^low)
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
	for c := range dst {
		var v float32
		switch i := w.index(row, c); {
		case w.nibbles != nil:
			v = w.nibbles.at(row, c)
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
	n := len(w.int8s) + 2*len(w.halves) + 4*len(w.floats) + 4*len(w.scale)
	if w.nibbles != nil {
		n += len(w.nibbles.q) + 2*len(w.nibbles.scale)
	}
	return n
}

// widen returns columns c to c+n of panel p as float32, scales applied; dst has room for whole groups of them. c is the
// first of a group.
func (w *weight) widen(set *simd.Set, by *worker, dst []float32, p, c, n int) []float32 {
	if w.nibbles != nil {
		w.widenNibbles(set, by, dst, p, c, n)
		return dst
	}
	n = pieces(n, w.group) * w.group
	from, to := (p*w.depth()+c)*w.nr, (p*w.depth()+c+n)*w.nr
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

func (f forward) panel(w *worker, dst []float32, p, k0, k int) []float32 {
	return f.w.widen(f.set, w, dst, p, k0, k)
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
		block := b.w.widen(b.set, w, w.block, (k0+l)/nr, p*nr, columns)
		b.set.Transpose(dst[l*nr:], nr, block, nr, columns, min(nr, k-l))
	}
	return dst
}
