package data

import "image"

// window is a rectangle of a picture that has been resized to width x height. It may reach beyond the picture.
type window struct {
	width, height int // of the whole resized picture
	x, y, w, h    int
}

// ResizeTo scales the whole picture to w x h pixels, whatever its proportions: a separable filter with 8 bits between
// its passes, equal to Pillow's resize to the last bit.
func (m *RGB) ResizeTo(w, h int, f Interpolation) (*RGB, error) {
	return m.resize(window{width: w, height: h, w: w, h: h}, f)
}

// ResizeShort scales the picture so that its short side has n pixels. The long side is n*long/short, cut to an integer
// as torchvision does.
func (m *RGB) ResizeShort(n int, f Interpolation) (*RGB, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	w, h := shortTo(m.Width, m.Height, n)
	return m.ResizeTo(w, h, f)
}

func shortTo(w, h, n int) (int, int) {
	if w <= h {
		return n, int(int64(n) * int64(h) / int64(w))
	}
	return int(int64(n) * int64(w) / int64(h)), n
}

// CenterCrop cuts the central n x n pixels. An odd remainder is split as torchvision does, by rounding half of it to even;
// where the picture is smaller it is first padded with black, the larger half to the right and below.
func (m *RGB) CenterCrop(n int) (*RGB, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := checkSize(n, n, DefaultMaxPixels); err != nil {
		return nil, err
	}
	return m.region(cropStart(m.Width, n), cropStart(m.Height, n), n, n), nil
}

// Crop cuts out a part, which must not be empty nor reach beyond the picture.
func (m *RGB) Crop(r image.Rectangle) (*RGB, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	if r.Empty() || !r.In(image.Rect(0, 0, m.Width, m.Height)) {
		return nil, imageError("part %v of a picture of %dx%d", r, m.Width, m.Height)
	}
	return m.region(r.Min.X, r.Min.Y, r.Dx(), r.Dy()), nil
}

// cropStart is where a central crop of n pixels begins; negative where padding comes first.
func cropStart(side, n int) int {
	if side < n {
		return -((n - side) / 2)
	}
	d := side - n
	half := d / 2
	if d%2 == 1 && half%2 == 1 {
		half++
	}
	return half
}

// region copies w x h pixels from (x, y) on; what lies outside of the picture is black.
func (m *RGB) region(x, y, w, h int) *RGB {
	out := newRGB(w, h)
	x0, x1 := max(x, 0), min(x+w, m.Width)
	if x1 <= x0 {
		return out
	}
	for sy := max(y, 0); sy < min(y+h, m.Height); sy++ {
		copy(out.Pix[3*((sy-y)*w+x0-x):], m.Pix[3*(sy*m.Width+x0):3*(sy*m.Width+x1)])
	}
	return out
}

// resize computes only the window's pixels, with exactly the values that the whole resized picture has there.
func (m *RGB) resize(o window, f Interpolation) (*RGB, error) {
	k, ok := f.kernel()
	if !ok {
		return nil, imageError("interpolation %q, expected %s or %s", f, Bicubic, Bilinear)
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if o.width < 1 || o.height < 1 {
		return nil, imageError("resize to %dx%d pixels", o.width, o.height)
	}
	if err := checkSize(o.w, o.h, DefaultMaxPixels); err != nil {
		return nil, err
	}
	x, y := max(o.x, 0), max(o.y, 0)
	w, h := min(o.x+o.w, o.width)-x, min(o.y+o.h, o.height)-y
	columns, left, right := newTaps(k, m.Width, o.width, x, w)
	rows, top, bottom := newTaps(k, m.Height, o.height, y, h)
	out := m.region(left, top, right-left, bottom-top)
	if verticalFirst(m, o) {
		out = out.vertical(rows).horizontal(columns)
	} else {
		out = out.horizontal(columns).vertical(rows)
	}
	if w == o.w && h == o.h {
		return out, nil
	}
	return out.region(o.x-x, o.y-y, o.w, o.h), nil
}

// verticalFirst is the order of the passes, which shows in the last bits because 8 are kept in between. Pillow goes
// horizontally first, except, since version 13, where rows vanish and twice as many as columns do; the rule was found by
// trying sizes, and testdata/extra.safetensors holds cases on both sides.
func verticalFirst(m *RGB, o window) bool {
	gone := m.Height - o.height
	return gone > 0 && gone > 2*(m.Width-o.width)
}

const half = 1 << (weightBits - 1)

// horizontal filters every row. Two rows share the halves of 64-bit integers: their sums stay within 32 bits each, so
// that one multiplication serves both.
func (m *RGB) horizontal(t *taps) *RGB {
	if t == nil {
		return m
	}
	n := len(t.first)
	out := newRGB(n, m.Height)
	pair := make([][3]int64, m.Width)
	for y := 0; y < m.Height; y += 2 {
		y1 := min(y+1, m.Height-1)
		packRows(pair, m.Pix[3*m.Width*y:], m.Pix[3*m.Width*y1:])
		d0, d1 := out.Pix[3*n*y:][:3*n], out.Pix[3*n*y1:][:3*n]
		for i := range n {
			first, weights := t.row(i)
			p := pair[first:][:len(weights)]
			r, g, b := int64(half+half<<32), int64(half+half<<32), int64(half+half<<32)
			for j, w := range weights {
				q, w := &p[j], int64(w)
				r += w * q[0]
				g += w * q[1]
				b += w * q[2]
			}
			d0[3*i], d1[3*i] = unpack(r)
			d0[3*i+1], d1[3*i+1] = unpack(g)
			d0[3*i+2], d1[3*i+2] = unpack(b)
		}
	}
	return out
}

func packRows(pair [][3]int64, a, b []uint8) {
	a, b = a[:3*len(pair)], b[:3*len(pair)]
	for x := range pair {
		p, q := a[3*x:3*x+3:3*x+3], b[3*x:3*x+3:3*x+3]
		pair[x] = [3]int64{int64(p[0]) | int64(q[0])<<32, int64(p[1]) | int64(q[1])<<32, int64(p[2]) | int64(q[2])<<32}
	}
}

// unpack splits two sums. A negative lower one has borrowed from the upper one.
func unpack(s int64) (lower, upper uint8) {
	l := int32(s)
	return clamp(l >> weightBits), clamp(int32((s-int64(l))>>32) >> weightBits)
}

// vertical filters every column.
func (m *RGB) vertical(t *taps) *RGB {
	if t == nil {
		return m
	}
	out := newRGB(m.Width, len(t.first))
	n := 3 * m.Width
	sums := make([]int32, n)
	for i := range t.first {
		first, weights := t.row(i)
		for x := range sums {
			sums[x] = half
		}
		for k, w := range weights {
			src := m.Pix[n*(first+k):][:len(sums)]
			for x := range sums {
				sums[x] += w * int32(src[x])
			}
		}
		dst := out.Pix[n*i:][:len(sums)]
		for x, s := range sums {
			dst[x] = clamp(s >> weightBits)
		}
	}
	return out
}
