package data

import (
	"errors"
	"image"
	"image/color"

	pkgerrors "github.com/pkg/errors"
)

// ErrImage says that a picture cannot be used: damaged, of an unknown format, empty or too large.
var ErrImage = errors.New("unreadable image")

// RGB is a picture of 8 bits a channel: Pix is [Height][Width][3], row major, 3*Width*Height bytes in sRGB.
type RGB struct {
	Width, Height int
	Pix           []uint8
}

func newRGB(w, h int) *RGB { return &RGB{Width: w, Height: h, Pix: make([]uint8, 3*w*h)} }

// check guards against pictures that a caller put together by hand.
func (m *RGB) check() error {
	if m == nil || m.Width < 1 || m.Height < 1 || m.Width > maxSide || m.Height > maxSide {
		return imageError("picture without pixels or with a side above %d", maxSide)
	}
	if want := 3 * int64(m.Width) * int64(m.Height); int64(len(m.Pix)) != want {
		return imageError("%dx%d picture with %d bytes, expected %d", m.Width, m.Height, len(m.Pix), want)
	}
	return nil
}

func imageError(format string, args ...any) error { return pkgerrors.Wrapf(ErrImage, format, args...) }

// FromImage converts a picture of any kind that Go knows. Alpha is dropped, neither premultiplied nor composited; values
// of 16 bits lose the low byte; YCbCr goes straight to RGB by the JFIF formula with interpolated chroma. Pictures of more
// than DefaultMaxPixels are refused with ErrImage. The result shares nothing with img.
func FromImage(img image.Image) (*RGB, error) {
	if img == nil {
		return nil, imageError("nil picture")
	}
	b := img.Bounds()
	if err := checkSize(b.Dx(), b.Dy(), DefaultMaxPixels); err != nil {
		return nil, err
	}
	return convert(img, &jfif)
}

// convert chooses the way from img's memory layout to RGB. chroma is how YCbCr planes are meant.
func convert(img image.Image, chroma *chromaRule) (*RGB, error) {
	switch m := img.(type) {
	case *image.YCbCr:
		return fromYCbCr(m, chroma)
	case *image.NYCbCrA:
		return fromYCbCr(&m.YCbCr, chroma)
	case *image.Gray:
		return fromPacked(packed{m.Pix, m.Stride, 1, m.Rect}, grayRow)
	case *image.Gray16: // big endian: the first byte is value >> 8
		return fromPacked(packed{m.Pix, m.Stride, 2, m.Rect}, gray16Row)
	case *image.NRGBA:
		return fromPacked(packed{m.Pix, m.Stride, 4, m.Rect}, nrgbaRow)
	case *image.NRGBA64:
		return fromPacked(packed{m.Pix, m.Stride, 8, m.Rect}, nrgba64Row)
	case *image.RGBA:
		return fromPacked(packed{m.Pix, m.Stride, 4, m.Rect}, rgbaRow)
	case *image.RGBA64:
		return fromPacked(packed{m.Pix, m.Stride, 8, m.Rect}, rgba64Row)
	case *image.CMYK:
		return fromPacked(packed{m.Pix, m.Stride, 4, m.Rect}, cmykRow)
	case *image.Paletted:
		return fromPacked(packed{m.Pix, m.Stride, 1, m.Rect}, paletteRow(m.Palette))
	}
	return fromAny(img), nil
}

// fromAny reads pixel by pixel.
func fromAny(img image.Image) *RGB {
	b := img.Bounds()
	out := newRGB(b.Dx(), b.Dy())
	dst := out.Pix
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			dst[0], dst[1], dst[2] = straight(img.At(x, y))
			dst = dst[3:]
		}
	}
	return out
}

// straight is a colour without its alpha, 8 bits a channel. Colours that are not premultiplied are taken as they are: the
// way through premultiplied ones would lose them.
func straight(c color.Color) (r, g, b uint8) {
	if n, ok := c.(color.NRGBA); ok {
		return n.R, n.G, n.B
	}
	n := color.NRGBA64Model.Convert(c).(color.NRGBA64)
	return uint8(n.R >> 8), uint8(n.G >> 8), uint8(n.B >> 8)
}
