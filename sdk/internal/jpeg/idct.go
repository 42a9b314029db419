package jpeg

// block holds the 64 coefficients of a block, dequantised: columns j and j+4 of row r lie in the low and the high half
// of element 4*r+j. Sums and products with constants then serve two columns at once, as long as each half's result fits
// in 32 bits; a negative low half borrows from the high one until halves takes them apart.
type block [32]int64

// place is where a coefficient lies in a block.
type place struct {
	index uint8
	shift uint8 // 0 or 32
}

var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

var places = func() (p [64]place) {
	for i, at := range zigzag {
		row, column := at/8, at%8
		p[i] = place{index: 4*row + column%4, shift: column / 4 * 32}
	}
	return p
}()

// indices are those of places, apart for speed.
var indices = func() (t [64]uint8) {
	for i, p := range places {
		t[i] = p.index
	}
	return t
}()

// Fixed point of the transforms, as in libjpeg's accurate integer method, whose samples come out bit for bit: constants
// have 13 bits of fraction, and 2 more bits than a sample are kept between the columns' pass and the rows'.
const (
	constBits = 13
	passBits  = 2
)

const both = 1<<32 + 1 // a constant for each half

// halves takes two values apart.
func halves(v int64) (low, high int32) {
	low = int32(v)
	return low, int32((v - int64(low)) >> 32)
}

func sample(v int32, shift uint) uint8 {
	v >>= shift & 31
	if uint32(v) > 255 {
		return uint8(^v >> 31) // 0 below, 255 above
	}
	return uint8(v)
}

// transform writes a block's samples; size is 8, 4, 2 or 1 a side.
func (b *block) transform(dst []uint8, stride, size int) {
	switch size {
	case 8:
		b.full(dst, stride)
	case 4:
		b.half(dst, stride)
	case 2:
		b.quarter(dst, stride)
	default:
		dst[0] = sample(int32(b[0])+4+128<<3, 3)
	}
}

// flat is transform for a block that has only a mean.
func (b *block) flat(dst []uint8, stride, size int) {
	v := sample(int32(b[0])+4+128<<3, 3)
	for y := range size {
		row := dst[y*stride:][:size]
		for x := range row {
			row[x] = v
		}
	}
}

// full is the inverse DCT of 8 x 8 by Loeffler, Ligtenberg and Moschytz, columns first.
func (b *block) full(dst []uint8, stride int) {
	const shift, last = constBits - passBits, constBits + passBits + 3
	var rows [4][8]int64 // rows r and r+4 in the halves
	for j := range 4 {
		c := (*[29]int64)(b[j:])
		if c[4]|c[8]|c[12]|c[16]|c[20]|c[24]|c[28] == 0 {
			low, high := halves(c[0] << passBits)
			for r := range rows {
				rows[r][j], rows[r][j+4] = int64(low)*both, int64(high)*both
			}
			continue
		}
		y0, y1, y2, y3, y4, y5, y6, y7 := idct8(c[0]<<constBits+both<<(shift-1), c[4], c[8], c[12], c[16]<<constBits, c[20], c[24], c[28])
		rows[0][j], rows[0][j+4] = turn(y0, y4, shift)
		rows[1][j], rows[1][j+4] = turn(y1, y5, shift)
		rows[2][j], rows[2][j+4] = turn(y2, y6, shift)
		rows[3][j], rows[3][j+4] = turn(y3, y7, shift)
	}
	for r := range rows {
		w := &rows[r]
		y0, y1, y2, y3, y4, y5, y6, y7 := idct8(w[0]<<constBits+both<<(last-1)+128*both<<last, w[1], w[2], w[3], w[4]<<constBits, w[5], w[6], w[7])
		u, l := dst[r*stride:][:8:8], dst[(r+4)*stride:][:8:8]
		u[0], l[0] = samples(y0, last)
		u[1], l[1] = samples(y1, last)
		u[2], l[2] = samples(y2, last)
		u[3], l[3] = samples(y3, last)
		u[4], l[4] = samples(y4, last)
		u[5], l[5] = samples(y5, last)
		u[6], l[6] = samples(y6, last)
		u[7], l[7] = samples(y7, last)
	}
}

// turn makes two columns of two rows out of two rows of two columns, and drops shift bits.
func turn(upper, lower int64, shift uint) (left, right int64) {
	a, b := halves(upper)
	c, d := halves(lower)
	return int64(a>>(shift&31)) + int64(c>>(shift&31))<<32, int64(b>>(shift&31)) + int64(d>>(shift&31))<<32
}

// samples are the two of v.
func samples(v int64, shift uint) (low, high uint8) {
	l, h := halves(v)
	return sample(l, shift), sample(h, shift)
}

// idct8 is one dimension. x0 and x4 come multiplied by 1<<constBits.
func idct8(x0, x1, x2, x3, x4, x5, x6, x7 int64) (y0, y1, y2, y3, y4, y5, y6, y7 int64) {
	even := (x2 + x6) * 4433 // 0.541196100
	e2, e3 := even-x6*15137, even+x2*6270
	s, d := x0+x4, x0-x4
	t0, t3, t1, t2 := s+e3, s-e3, d+e2, d-e2

	z1, z2, z3, z4 := x7+x1, x5+x3, x7+x3, x5+x1
	z5 := (z3 + z4) * 9633 // 1.175875602
	z1, z2 = z1*-7373, z2*-20995
	z3, z4 = z3*-16069+z5, z4*-3196+z5
	o0, o1 := x7*2446+z1+z3, x5*16819+z2+z4
	o2, o3 := x3*25172+z2+z3, x1*12299+z1+z4
	return t0 + o3, t1 + o2, t2 + o1, t3 + o0, t3 - o0, t2 - o1, t1 - o2, t0 - o3
}

// half makes 4 x 4 samples, each the mean of 2 x 2 of those that full makes: the mean of two neighbours of each basis
// function. The fourth frequency has none.
func (b *block) half(dst []uint8, stride int) {
	const shift = constBits - passBits + 1
	var rows [2][8]int64 // rows r and r+2 in the halves
	for j := range 4 {
		c := (*[29]int64)(b[j:])
		o := idct4(c[0]<<(constBits+1)+both<<(shift-1), c[4], c[8], c[12], c[20], c[24], c[28])
		rows[0][j], rows[0][j+4] = turn(o[0], o[2], shift)
		rows[1][j], rows[1][j+4] = turn(o[1], o[3], shift)
	}
	for r := range 2 {
		const shift = constBits + passBits + 3 + 1
		w := &rows[r]
		o := idct4(w[0]<<(constBits+1)+both<<(shift-1)+128*both<<shift, w[1], w[2], w[3], w[5], w[6], w[7])
		upper, lower := dst[r*stride:][:4:4], dst[(r+2)*stride:][:4:4]
		for x, v := range o {
			upper[x], lower[x] = samples(v, shift)
		}
	}
}

// idct4 is one dimension of half. x0 comes multiplied by 2<<constBits.
func idct4(x0, x1, x2, x3, x5, x6, x7 int64) [4]int64 {
	e := x2*15137 - x6*6270
	s, d := x0+e, x0-e
	o0 := x1*20995 + x3*7373 - x5*4926 - x7*4176
	o1 := x1*8697 - x3*17799 + x5*11893 - x7*1730
	return [4]int64{s + o0, d + o1, d - o1, s - o0}
}

// quarter makes 2 x 2 samples, each the mean of 4 x 4: of the even frequencies only the mean is left.
func (b *block) quarter(dst []uint8, stride int) {
	const shift = constBits - passBits + 2
	var row [8]int64 // both rows
	for j := range 4 {
		c := (*[29]int64)(b[j:])
		s, o := c[0]<<(constBits+2)+both<<(shift-1), odd2(c[4], c[12], c[20], c[28])
		row[j], row[j+4] = turn(s+o, s-o, shift)
	}
	const last = constBits + passBits + 3 + 2
	s, o := row[0]<<(constBits+2)+both<<(last-1)+128*both<<last, odd2(row[1], row[3], row[5], row[7])
	dst[0], dst[stride] = samples(s+o, last)
	dst[1], dst[stride+1] = samples(s-o, last)
}

func odd2(x1, x3, x5, x7 int64) int64 { return x1*29692 - x3*10426 + x5*6967 - x7*5906 }
