package data

import (
	"encoding/binary"
	"image"
)

// chromaRule is how a format's decoder in Python turns YCbCr planes into RGB.
type chromaRule struct {
	odd  uint64 // rounding of odd columns where chroma is interpolated both ways; even columns have 8
	thin bool   // planes of one or two columns are repeated, not interpolated
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
	wide := up.h * up.cols
	space := make([]uint8, 2*wide)
	for y := range h {
		cb, cr := up.row(space[:wide], m.Cb, y), up.row(space[wide:], m.Cr, y)
		rule.row(out.Pix[3*w*y:3*w*(y+1)], m.Y[y*m.YStride:][:w], cb, cr)
	}
	return out, nil
}

// jfifTables holds the JFIF matrix's products with Cb and Cr, for all three colours of a pixel in one number: green in
// 16.16 fixed point at the bottom, as it is rounded after its sum, above it red and blue, 16 bits each, rounded by
// themselves. All are raised so that no sum is negative: a colour c comes out as 256+c.
var jfifTables = func() (t struct{ cb, cr [256]uint64 }) {
	const half = 1 << 15
	for i := range int64(256) {
		c := i - 128
		t.cr[i] = uint64((91881*c+half)>>16+256)<<32 + uint64(128<<16-46802*c)       // 1.40200, 0.71414
		t.cb[i] = uint64((116130*c+half)>>16+256)<<48 + uint64(128<<16-22554*c+half) // 1.77200, 0.34414
	}
	return t
}()

func jfifRow(dst, y, cb, cr []uint8) {
	cb, cr = cb[:len(y)], cr[:len(y)]
	i := 0
	for ; i+4 <= len(y); i += 4 {
		l, b, r := y[i:i+4:i+4], cb[i:i+4:i+4], cr[i:i+4:i+4]
		p, q, s, t := jfifSum(l[0], b[0], r[0]), jfifSum(l[1], b[1], r[1]), jfifSum(l[2], b[2], r[2]), jfifSum(l[3], b[3], r[3])
		if ((p^inRange)|(q^inRange)|(s^inRange)|(t^inRange))&outBits != 0 {
			p, q, s, t = jfifClamp(p), jfifClamp(q), jfifClamp(s), jfifClamp(t)
		}
		p, q, s, t = jfifPixel(p), jfifPixel(q), jfifPixel(s), jfifPixel(t)
		d := dst[3*i : 3*i+12 : 3*i+12]
		binary.LittleEndian.PutUint64(d, p|q<<24|s<<48)
		binary.LittleEndian.PutUint32(d[8:], uint32(s>>16|t<<8))
	}
	for ; i < len(y); i++ {
		p := jfifPixel(jfifClamp(jfifSum(y[i], cb[i], cr[i])))
		dst[3*i], dst[3*i+1], dst[3*i+2] = uint8(p), uint8(p>>8), uint8(p>>16)
	}
}

func jfifSum(y, cb, cr uint8) uint64 {
	return uint64(y)*(1<<48+1<<32+1<<16) + jfifTables.cb[cb] + jfifTables.cr[cr]
}

// The bits that show whether a colour has left 0..255, and what they are if none has.
const (
	outBits = 0xff00ff00ff000000
	inRange = 0x0100010001000000
)

// jfifClamp brings the colours of a sum into 0..255.
func jfifClamp(c uint64) uint64 {
	one := func(at uint) uint64 { return uint64(clamp(int32(c>>at&0xffff)-256)) << at }
	return one(16) | one(32) | one(48)
}

// jfifPixel moves the colours of a sum to the lowest 24 bits, red first.
func jfifPixel(c uint64) uint64 { return c>>32&0xff00ff | c>>8&0xff00 }

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
