package data

import "image"

// chromaRule is how a format's decoder in Python turns YCbCr planes into RGB.
type chromaRule struct {
	odd  int32 // rounding of odd columns where chroma is interpolated both ways; even columns have 8
	thin bool  // planes of one or two columns are repeated, not interpolated
	row  func(dst, y, cb, cr []uint8)
}

// jfif is libjpeg: full range, BT.601 matrix, triangle filter for chroma.
var jfif = chromaRule{odd: 7, thin: true, row: jfifRow}

// vp8 is libwebp: luma in 16..235, chroma in 16..240, nearly the same filter.
var vp8 = chromaRule{odd: 8, row: vp8Row}

// fromYCbCr interpolates chroma to full size and converts, a row at a time.
func fromYCbCr(m *image.YCbCr, rule *chromaRule) (*RGB, error) {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	if err := checkRows(len(m.Y), m.YStride, w, h); err != nil {
		return nil, err
	}
	up, err := newUpsampler(m, rule)
	if err != nil {
		return nil, err
	}
	out := newRGB(w, h)
	cb, cr := make([]uint8, w), make([]uint8, w)
	for y := range h {
		up.row(cb, m.Cb, y)
		up.row(cr, m.Cr, y)
		rule.row(out.Pix[3*w*y:3*w*(y+1)], m.Y[y*m.YStride:][:w], cb, cr)
	}
	return out, nil
}

// upsampler brings rows of a chroma plane [rows][cols] to luma's size. A chroma sample sits in the middle of the 2x1,
// 1x2 or 2x2 luma samples that share it, so each luma sample takes 3/4 of its own and 1/4 of the nearer neighbour per
// axis. Other ratios repeat samples.
type upsampler struct {
	h, v           int // luma samples a chroma sample, per axis
	phaseX, phaseY int // of the first luma sample within its chroma sample: 1 in pictures cut at an odd place
	cols, rows     int
	stride         int
	smooth         bool
	odd            int32
	sums           []int32 // a row's vertical sums, with the edge samples repeated on both sides
	wide           []uint8 // a row before the phase is cut off
}

func newUpsampler(m *image.YCbCr, rule *chromaRule) (*upsampler, error) {
	u := &upsampler{h: 1, v: 1, stride: m.CStride, odd: rule.odd}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio444:
	case image.YCbCrSubsampleRatio422:
		u.h = 2
	case image.YCbCrSubsampleRatio420:
		u.h, u.v = 2, 2
	case image.YCbCrSubsampleRatio440:
		u.v = 2
	case image.YCbCrSubsampleRatio411:
		u.h = 4
	case image.YCbCrSubsampleRatio410:
		u.h, u.v = 4, 2
	default:
		return nil, imageError("chroma subsampling %v", m.SubsampleRatio)
	}
	u.phaseX, u.phaseY = m.Rect.Min.X&(u.h-1), m.Rect.Min.Y&(u.v-1)
	u.cols = (u.phaseX + m.Rect.Dx() + u.h - 1) / u.h
	u.rows = (u.phaseY + m.Rect.Dy() + u.v - 1) / u.v
	u.smooth = u.h <= 2 && (u.h == 1 || !rule.thin || u.cols > 2)
	for _, plane := range [][]uint8{m.Cb, m.Cr} {
		if err := checkRows(len(plane), m.CStride, u.cols, u.rows); err != nil {
			return nil, err
		}
	}
	u.sums, u.wide = make([]int32, u.cols+2), make([]uint8, u.h*u.cols)
	return u, nil
}

// row writes luma row y's chroma.
func (u *upsampler) row(dst, plane []uint8, y int) {
	y += u.phaseY
	own := u.source(plane, y/u.v)
	switch {
	case u.h == 1 && u.v == 1:
		copy(dst, own)
		return
	case !u.smooth:
		for i := range u.wide {
			u.wide[i] = own[i/u.h]
		}
	case u.v == 1:
		u.spread(own, nil)
		u.interpolate(1, 2, 2)
	default:
		near := u.source(plane, y/2-1+y%2*2) // above for even rows, below for odd ones
		u.spread(own, near)
		if u.h == 2 {
			u.interpolate(8, u.odd, 4)
		} else {
			u.round(int32(1 + y%2))
		}
	}
	copy(dst, u.wide[u.phaseX:])
}

// source is a row of the plane; the first and the last repeat beyond the edge.
func (u *upsampler) source(plane []uint8, y int) []uint8 {
	return plane[min(max(y, 0), u.rows-1)*u.stride:][:u.cols]
}

// spread fills sums with 3 own + near, or with own alone.
func (u *upsampler) spread(own, near []uint8) {
	s := u.sums[1 : u.cols+1]
	if near == nil {
		for i, v := range own {
			s[i] = int32(v)
		}
	} else {
		for i, v := range own {
			s[i] = 3*int32(v) + int32(near[i])
		}
	}
	u.sums[0], u.sums[u.cols+1] = s[0], s[u.cols-1]
}

// interpolate writes two columns for each sum, weighted 3 to 1 with the nearer neighbour.
func (u *upsampler) interpolate(even, odd int32, shift uint) {
	left, right := u.sums[:u.cols], u.sums[2:u.cols+2]
	for i, v := range u.sums[1 : u.cols+1] {
		o := u.wide[2*i : 2*i+2 : 2*i+2]
		o[0] = uint8((3*v + left[i] + even) >> shift)
		o[1] = uint8((3*v + right[i] + odd) >> shift)
	}
}

// round writes the vertical sums, which weigh 4.
func (u *upsampler) round(half int32) {
	for i, v := range u.sums[1 : u.cols+1] {
		u.wide[i] = uint8((v + half) >> 2)
	}
}

// jfifTables holds the products of the JFIF matrix in 16-bit fixed point; red and blue are rounded by themselves, green
// after its sum.
var jfifTables = func() (t struct{ crR, cbB, crG, cbG [256]int32 }) {
	const half = 1 << 15
	for i := range int32(256) {
		c := i - 128
		t.crR[i] = (91881*c + half) >> 16  // 1.40200
		t.cbB[i] = (116130*c + half) >> 16 // 1.77200
		t.crG[i] = -46802 * c              // 0.71414
		t.cbG[i] = -22554*c + half         // 0.34414
	}
	return t
}()

func jfifRow(dst, y, cb, cr []uint8) {
	t := &jfifTables
	cb, cr = cb[:len(y)], cr[:len(y)]
	for i, v := range y {
		l, b, r := int32(v), cb[i], cr[i]
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0] = clamp(l + t.crR[r])
		d[1] = clamp(l + (t.cbG[b]+t.crG[r])>>16)
		d[2] = clamp(l + t.cbB[b])
	}
}

// vp8Row expands the studio range: products of the BT.601 matrix with 14 bits of fraction, of which 6 stay for the sum.
func vp8Row(dst, y, cb, cr []uint8) {
	for i, v := range y {
		l, b, r := int32(v)*19077>>8, int32(cb[i]), int32(cr[i]) // 1.16438
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0] = clamp((l + r*26149>>8 - 14234) >> 6)            // 1.59603
		d[1] = clamp((l - b*6419>>8 - r*13320>>8 + 8708) >> 6) // 0.39176, 0.81297
		d[2] = clamp((l + b*33050>>8 - 17685) >> 6)            // 2.01723
	}
}

func clamp(v int32) uint8 { return uint8(min(max(v, 0), 255)) }
