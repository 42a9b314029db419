package data

import (
	"bytes"
	"image"
	"image/gif"

	"github.com/pkg/errors"
)

// decodeGIF reads the first frame as Pillow's convert to RGB shows it: transparent pixels keep the colour of their index,
// which Go's decoder would make black, and what lies around a small frame has that colour too, or the first one.
func decodeGIF(file []byte, _ int) (image.Image, error) {
	file, around := opaqueGIF(file)
	img, err := gif.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	c, err := gif.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	frame, ok := img.(*image.Paletted)
	full := image.Rect(0, 0, c.Width, c.Height)
	if !ok || !frame.Rect.In(full) {
		return nil, errors.Errorf("frame at %v in a picture of %dx%d", img.Bounds(), c.Width, c.Height)
	}
	if frame.Rect == full {
		return frame, nil
	}
	whole := image.NewPaletted(full, frame.Palette)
	for i := range whole.Pix {
		whole.Pix[i] = around
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		copy(whole.Pix[whole.PixOffset(frame.Rect.Min.X, y):], frame.Pix[frame.PixOffset(frame.Rect.Min.X, y):][:frame.Rect.Dx()])
	}
	return whole, nil
}

// opaqueGIF is file without its first frame's transparency, and the index that was transparent, else 0.
func opaqueGIF(file []byte) (opaque []byte, index uint8) {
	const (
		header    = 13
		extension = 0x21
		control   = 0xf9 // graphic control extension: 4, flags, delay (2), index, 0
	)
	if len(file) < header {
		return file, 0
	}
	at := header
	if flags := file[10]; flags&0x80 != 0 { // a global palette
		at += 3 << (flags&7 + 1)
	}
	for at+7 < len(file) && file[at] == extension {
		if file[at+1] == control && file[at+2] == 4 && file[at+3]&1 != 0 {
			file = bytes.Clone(file)
			file[at+3] &^= 1
			index = file[at+6]
		}
		at += 2
		for at < len(file) && file[at] != 0 {
			at += 1 + int(file[at])
		}
		at++
	}
	return file, index
}
