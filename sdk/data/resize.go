package data

// window is a rectangle of a picture that has been resized to width x height. It may reach beyond the picture.
type window struct {
	width, height int // of the whole resized picture
	x, y, w, h    int
}

// ResizeTo scales the whole picture to w x h pixels, whatever its proportions: a separable filter, horizontal pass
// first, 8 bits between the passes, equal to Pillow's resize to the last bit.
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
	var rows *RGB // rows lo..hi of m after the horizontal pass
	lo, hi := y, y+h
	var vertical *taps
	if o.height != m.Height {
		vertical = newTaps(k, m.Height, o.height, y, h)
		lo, hi = vertical.span()
	}
	if o.width != m.Width {
		rows = m.horizontal(newTaps(k, m.Width, o.width, x, w), lo, hi)
	} else {
		rows = m.region(x, lo, w, hi-lo)
	}
	if vertical != nil {
		rows = rows.vertical(vertical, lo)
	}
	if w == o.w && h == o.h {
		return rows, nil
	}
	return rows.region(o.x-x, o.y-y, o.w, o.h), nil
}

const half = 1 << (weightBits - 1)

// horizontal filters rows lo..hi.
func (m *RGB) horizontal(t *taps, lo, hi int) *RGB {
	n := len(t.first)
	out := newRGB(n, hi-lo)
	for y := lo; y < hi; y++ {
		src := m.Pix[3*m.Width*y : 3*m.Width*(y+1)]
		dst := out.Pix[3*n*(y-lo) : 3*n*(y-lo+1)]
		for i := range n {
			first, weights := t.row(i)
			p := src[3*first:]
			var r, g, b int32 = half, half, half
			for _, w := range weights {
				q := p[:3:3]
				r += w * int32(q[0])
				g += w * int32(q[1])
				b += w * int32(q[2])
				p = p[3:]
			}
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0], d[1], d[2] = clamp(r>>weightBits), clamp(g>>weightBits), clamp(b>>weightBits)
		}
	}
	return out
}

// vertical filters columns. m holds the source from row lo on.
func (m *RGB) vertical(t *taps, lo int) *RGB {
	out := newRGB(m.Width, len(t.first))
	n := 3 * m.Width
	sums := make([]int32, n)
	for i := range t.first {
		first, weights := t.row(i)
		for x := range sums {
			sums[x] = half
		}
		for k, w := range weights {
			src := m.Pix[n*(first-lo+k):][:len(sums)]
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
