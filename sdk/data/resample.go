package data

import (
	"slices"
	"sync"
)

// resampler filters a picture row by row. Only as many rows as one output row needs are held between the passes, so
// that they stay in the processor's cache.
//
// A row of n pixels between the passes is split(n) numbers of 64 bits: sample i in the low half, sample split(n)+i in
// the high one. A sum of weighted samples fits in 32 bits, so that one multiplication serves both; a negative low sum
// borrows from the high one until unpack.
type resampler struct {
	columns, rows taps
	across        [][3]int64 // two rows beside each other, one a half: what horizontal reads
	ring          [][]int64  // rows between the passes: row y at y % len(ring)
	sums          []int64
	bytes         [2][]uint8
}

// resamplers keeps their memory and filters from call to call: one picture after another tends to have the same size.
var resamplers = sync.Pool{New: func() any { return new(resampler) }}

func split(n int) int { return 3 * ((n + 1) / 2) }

// resize makes a slice n long, whose contents are anything.
func resize[T any](s []T, n int) []T { return slices.Grow(s[:0], n)[:n] }

// prepare lays out memory: depth rows of the output's width between the passes, and rows of bytes of n pixels.
func (r *resampler) prepare(depth, n int) {
	r.across = resize(r.across, r.columns.hi-r.columns.lo)
	r.ring = resize(r.ring, depth)
	for i := range r.ring {
		r.ring[i] = resize(r.ring[i], split(len(r.columns.first)))
	}
	r.sums = resize(r.sums, split(n))
	for i := range r.bytes {
		r.bytes[i] = resize(r.bytes[i], 2*split(n))
	}
}

// acrossThenDown filters rows, two at a time, then columns.
func (r *resampler) acrossThenDown(m *RGB, emit func(y int, row []uint8)) {
	n := len(r.columns.first)
	r.prepare(r.rows.width+1, n) // one more, as two rows are made at a time
	read := 0
	for y := range r.rows.first {
		first, weights := r.rows.row(y)
		for ; read < first+len(weights); read += 2 {
			next := min(read+1, r.rows.hi-r.rows.lo-1)
			packRows(r.across, r.source(m, read), r.source(m, next))
			r.horizontal(r.ring[read%len(r.ring)], r.ring[(read+1)%len(r.ring)])
		}
		r.vertical(r.bytes[0], first, weights)
		emit(y, r.bytes[0][:3*n])
	}
}

// downThenAcross filters columns, then rows, two at a time.
func (r *resampler) downThenAcross(m *RGB, emit func(y int, row []uint8)) {
	n, h := len(r.columns.first), len(r.rows.first)
	r.prepare(2, r.columns.hi-r.columns.lo)
	out := make([]uint8, 2*split(n))
	for y := 0; y < h; y += 2 {
		for i := range r.bytes {
			first, weights := r.rows.row(min(y+i, h-1))
			r.verticalBytes(r.bytes[i], m, first, weights)
		}
		packRows(r.across, r.bytes[0], r.bytes[1])
		r.horizontal(r.ring[0], r.ring[1])
		for i := range min(2, h-y) {
			unpackRow(out, r.ring[i], 0)
			emit(y+i, out[:3*n])
		}
	}
}

// source is what the filter reads of a row, counted from the first row that it reads.
func (r *resampler) source(m *RGB, y int) []uint8 {
	at := 3 * (r.rows.lo + y) * m.Width
	return m.Pix[at+3*r.columns.lo : at+3*r.columns.hi]
}

const half = 1 << (weightBits - 1)

// horizontal filters the two rows in r.across.
func (r *resampler) horizontal(d0, d1 []int64) {
	t := &r.columns
	n := len(t.first)
	middle := (n + 1) / 2
	for i := range n {
		first, weights := t.row(i)
		p := r.across[first:][:len(weights)]
		r, g, b := int64(half+half<<32), int64(half+half<<32), int64(half+half<<32)
		for len(p) >= 2 && len(weights) >= 2 {
			w, v := int64(weights[0]), int64(weights[1])
			r += w*p[0][0] + v*p[1][0]
			g += w*p[0][1] + v*p[1][1]
			b += w*p[0][2] + v*p[1][2]
			p, weights = p[2:], weights[2:]
		}
		if len(p) > 0 && len(weights) > 0 {
			w := int64(weights[0])
			r, g, b = r+w*p[0][0], g+w*p[0][1], b+w*p[0][2]
		}
		r0, r1 := unpack(r, weightBits)
		g0, g1 := unpack(g, weightBits)
		b0, b1 := unpack(b, weightBits)
		if i < middle {
			e0, e1 := d0[3*i:3*i+3:3*i+3], d1[3*i:3*i+3:3*i+3]
			e0[0], e0[1], e0[2] = int64(r0), int64(g0), int64(b0)
			e1[0], e1[1], e1[2] = int64(r1), int64(g1), int64(b1)
		} else {
			k := 3 * (i - middle)
			e0, e1 := d0[k:k+3:k+3], d1[k:k+3:k+3]
			e0[0], e0[1], e0[2] = e0[0]|int64(r0)<<32, e0[1]|int64(g0)<<32, e0[2]|int64(b0)<<32
			e1[0], e1[1], e1[2] = e1[0]|int64(r1)<<32, e1[1]|int64(g1)<<32, e1[2]|int64(b1)<<32
		}
	}
}

func packRows(pair [][3]int64, a, b []uint8) {
	a, b = a[:3*len(pair)], b[:3*len(pair)]
	for x := range pair {
		p, q := a[3*x:3*x+3:3*x+3], b[3*x:3*x+3:3*x+3]
		pair[x] = [3]int64{int64(p[0]) | int64(q[0])<<32, int64(p[1]) | int64(q[1])<<32, int64(p[2]) | int64(q[2])<<32}
	}
}

// vertical filters the rows in the ring from first on, four at a time.
func (r *resampler) vertical(dst []uint8, first int, weights []int32) {
	sums := r.sums
	for x := range sums {
		sums[x] = half + half<<32
	}
	row := func(k int) []int64 { return r.ring[(first+k)%len(r.ring)][:len(sums)] }
	k := 0
	for ; k+4 <= len(weights); k += 4 {
		a, b, c, d := row(k), row(k+1), row(k+2), row(k+3)
		wa, wb, wc, wd := int64(weights[k]), int64(weights[k+1]), int64(weights[k+2]), int64(weights[k+3])
		for x := range sums {
			sums[x] += wa*a[x] + wb*b[x] + wc*c[x] + wd*d[x]
		}
	}
	for ; k < len(weights); k++ {
		a, w := row(k), int64(weights[k])
		for x := range sums {
			sums[x] += w * a[x]
		}
	}
	unpackRow(dst, sums, weightBits)
}

// verticalBytes is vertical on the source's own rows.
func (r *resampler) verticalBytes(dst []uint8, m *RGB, first int, weights []int32) {
	sums := r.sums
	for x := range sums {
		sums[x] = half + half<<32
	}
	for k, w := range weights {
		row, w := r.source(m, first+k), int64(w)
		low, high := row[:len(sums)], row[len(sums):]
		for x, v := range high {
			sums[x] += w * (int64(low[x]) | int64(v)<<32)
		}
		for x := len(high); x < len(sums); x++ { // the last pixel of an odd number stands alone
			sums[x] += w * int64(low[x])
		}
	}
	unpackRow(dst, sums, weightBits)
}

// unpackRow writes the bytes of a row that lies in halves with a fraction of shift bits.
func unpackRow(dst []uint8, row []int64, shift uint) {
	low, high := dst[:len(row)], dst[len(row):][:len(row)]
	for x, s := range row {
		low[x], high[x] = unpack(s, shift)
	}
}

// unpack splits two sums. A negative lower one has borrowed from the upper one.
func unpack(s int64, shift uint) (lower, upper uint8) {
	l := int32(s)
	return clamp(l >> (shift & 31)), clamp(int32((s-int64(l))>>32) >> (shift & 31))
}

// clamp is v within 0..255. Most values are, which the processor learns.
func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		return uint8(^v >> 31)
	}
	return uint8(v)
}
