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
	out := &RGB{Width: o.w, Height: o.h}
	dx, _, w, _ := o.inside()
	err := m.resample(o, f, func() { out.Pix = make([]uint8, 3*o.w*o.h) }, func(y int, row []uint8) {
		copy(out.Pix[3*(y*o.w+dx):], row[:3*w])
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// inside is the part of the window that lies on the picture, counted from the window's corner.
func (o window) inside() (x, y, w, h int) {
	x, y = max(-o.x, 0), max(-o.y, 0)
	return x, y, min(o.w, o.width-o.x) - x, min(o.h, o.height-o.y) - y
}

// resample hands the window's rows that lie on the picture to emit, in order, y counted from the window's top; row is
// good until emit returns. ready is called before the first one, once nothing can go wrong any more.
func (m *RGB) resample(o window, f Interpolation, ready func(), emit func(y int, row []uint8)) error {
	k, ok := f.kernel()
	if !ok {
		return imageError("interpolation %q, expected %s or %s", f, Bicubic, Bilinear)
	}
	if err := m.check(); err != nil {
		return err
	}
	if o.width < 1 || o.height < 1 {
		return imageError("resize to %dx%d pixels", o.width, o.height)
	}
	if err := checkSize(o.w, o.h, DefaultMaxPixels); err != nil {
		return err
	}
	ready()
	dx, dy, w, h := o.inside()
	r := resamplers.Get().(*resampler)
	defer resamplers.Put(r)
	r.columns.set(k, span{m.Width, o.width, o.x + dx, w, f})
	r.rows.set(k, span{m.Height, o.height, o.y + dy, h, f})
	place := func(y int, row []uint8) { emit(dy+y, row) }
	if verticalFirst(m, o) {
		r.downThenAcross(m, place)
	} else {
		r.acrossThenDown(m, place)
	}
	return nil
}

// verticalFirst is the order of the passes, which shows in the last bits because 8 are kept in between. Pillow goes
// horizontally first, except, since version 13, where rows vanish and twice as many as columns do; the rule was found by
// trying sizes, and testdata/extra.safetensors holds cases on both sides.
func verticalFirst(m *RGB, o window) bool {
	gone := m.Height - o.height
	return gone > 0 && gone > 2*(m.Width-o.width)
}
