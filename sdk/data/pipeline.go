package data

import (
	"fmt"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Fit says how a picture of any proportions becomes a square.
type Fit string

// Squash resizes the whole picture to the square. Crop scales the short side and cuts out the centre.
const (
	Squash Fit = "squash"
	Crop   Fit = "crop"
)

// MaxSize bounds the sides that a Pipeline makes, in pixels.
const MaxSize = 8192

// Step makes another picture of one, which it leaves as it is. Safe for concurrent use.
type Step interface {
	Apply(m *RGB) (*RGB, error)
}

// Pipeline is how pictures become input tensors. It is a plain value; Apply is safe for concurrent use.
type Pipeline struct {
	Before        Step // what happens to the decoded picture first; nil: nothing
	Fit           Fit
	Size          int // side of the result, pixels
	Resize        int // Crop only: what the short side is scaled to; below Size the rest is padded with black
	Interpolation Interpolation
	Mean, Std     [3]float32 // per channel, of values scaled to 0..1
	Exact         bool       // Decoder reads every file at full size
}

// Decoder is how to read files for p. JPEG files of more than four times the pixels that are needed are decoded at 1/2,
// 1/4 or 1/8 of their size, as long as the shorter side keeps twice what p scales it to: the filter then still sees two
// pixels for each that it makes. That is left out where p is Exact or has a Before, which may look at the pixels.
func (p Pipeline) Decoder() Decoder {
	if p.Exact || p.Before != nil {
		return Decoder{}
	}
	if p.Fit == Crop {
		return Decoder{MinSide: 2 * p.Resize}
	}
	return Decoder{MinSide: 2 * p.Size}
}

// Check reports what keeps p from being used.
func (p Pipeline) Check() error {
	if p.Fit != Squash && p.Fit != Crop {
		return fmt.Errorf("fit %q, expected %s or %s", p.Fit, Squash, Crop)
	}
	if p.Size < 1 || p.Size > MaxSize {
		return fmt.Errorf("size %d, expected 1 to %d", p.Size, MaxSize)
	}
	if p.Fit == Crop && (p.Resize < 1 || p.Resize > MaxSize) {
		return fmt.Errorf("resize %d, expected 1 to %d", p.Resize, MaxSize)
	}
	if _, ok := p.Interpolation.kernel(); !ok {
		return fmt.Errorf("interpolation %q, expected %s or %s", p.Interpolation, Bicubic, Bilinear)
	}
	for c := range 3 {
		if p.Mean[c]-p.Mean[c] != 0 || p.Std[c]-p.Std[c] != 0 || p.Std[c] <= 0 {
			return fmt.Errorf("mean %v and std %v, expected finite numbers and a positive std", p.Mean, p.Std)
		}
	}
	return nil
}

// Apply makes the tensor [3, Size, Size] of m, which is left as it is.
func (p Pipeline) Apply(m *RGB) (tensor.Tensor, error) {
	if err := p.Check(); err != nil {
		return tensor.Tensor{}, errors.Wrap(err, "preprocessing")
	}
	if err := m.check(); err != nil {
		return tensor.Tensor{}, err
	}
	if p.Before != nil {
		var err error
		if m, err = p.Before.Apply(m); err != nil {
			return tensor.Tensor{}, err
		}
		if err := m.check(); err != nil {
			return tensor.Tensor{}, err
		}
	}
	o := window{width: p.Size, height: p.Size, w: p.Size, h: p.Size}
	if p.Fit == Crop {
		o.width, o.height = shortTo(m.Width, m.Height, p.Resize)
		o.x, o.y = cropStart(o.width, p.Size), cropStart(o.height, p.Size)
	}
	return m.resampleNormalized(o, p)
}

// resampleNormalized resizes and normalises row by row. What the window has beyond the picture is black.
func (m *RGB) resampleNormalized(o window, p Pipeline) (t tensor.Tensor, err error) {
	n := o.w * o.h
	x, _, w, h := o.inside()
	tables := normalizers(p.Mean, p.Std)
	ready := func() {
		t = tensor.New(3, o.h, o.w)
		for c := range 3 {
			if w < o.w || h < o.h {
				fill(t.Data[c*n:(c+1)*n], tables[c][0])
			}
		}
	}
	err = m.resample(o, p.Interpolation, ready, func(y int, row []uint8) {
		at := y*o.w + x
		normalizeRow(t.Data[at:][:w], t.Data[n+at:][:w], t.Data[2*n+at:][:w], row, tables)
	})
	return t, err
}

func fill(s []float32, v float32) {
	for i := range s {
		s[i] = v
	}
}

// normalizers are what each value of a channel becomes.
func normalizers(mean, std [3]float32) *[3][256]float32 {
	t := new([3][256]float32)
	for c := range t {
		for v := range t[c] {
			t[c][v] = (float32(v)/255 - mean[c]) / std[c]
		}
	}
	return t
}

func normalizeRow(r, g, b []float32, row []uint8, t *[3][256]float32) {
	g, b, row = g[:len(r)], b[:len(r)], row[:3*len(r)]
	for i := range r {
		p := row[3*i : 3*i+3 : 3*i+3]
		r[i], g[i], b[i] = t[0][p[0]], t[1][p[1]], t[2][p[2]]
	}
}

// Normalize makes the tensor [3, Height, Width] of (v/255 - mean) / std, each step rounded to float32.
func (m *RGB) Normalize(mean, std [3]float32) (tensor.Tensor, error) {
	if err := m.check(); err != nil {
		return tensor.Tensor{}, err
	}
	t := tensor.New(3, m.Height, m.Width)
	n := m.Height * m.Width
	normalizeRow(t.Data[:n], t.Data[n:2*n], t.Data[2*n:], m.Pix, normalizers(mean, std))
	return t, nil
}
