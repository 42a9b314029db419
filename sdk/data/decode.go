package data

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	stdjpeg "image/jpeg"
	"image/png"
	"io"
	"os"

	"github.com/edgeadapt/edgeadapt/sdk/internal/jpeg"
	"github.com/pkg/errors"
	"golang.org/x/image/bmp"
	"golang.org/x/image/webp"
)

// DefaultMaxPixels is the largest picture that is decoded unless a Decoder says otherwise.
const DefaultMaxPixels = 100_000_000

const (
	maxSide      = 65535      // JPEG's own limit; it also bounds the memory of the resize filters
	maxFileBytes = 256 << 20  // far above any sensible picture of DefaultMaxPixels
	maxRareJPEG  = 30_000_000 // pixels in CMYK or RGB, of which Go's decoder keeps up to 27 bytes each
)

// Decoder reads pictures. The zero value is ready. Safe for concurrent use.
type Decoder struct {
	MaxPixels int // larger pictures are refused before their pixels are decoded; 0 means DefaultMaxPixels

	// MinSide, above 0, lets JPEG files be decoded at 1/2, 1/4 or 1/8 of their size, the smallest whose shorter side has
	// this many pixels. Each pixel is then the mean of 4, 16 or 64, at a fraction of the time and memory.
	MinSide int
}

// reduce is by how much a picture of w x h may shrink.
func (d Decoder) reduce(w, h int) int {
	r := 1
	for d.MinSide > 0 && r < 8 && min(w, h)/(2*r) >= d.MinSide {
		r *= 2
	}
	return r
}

// Decode reads a JPEG, PNG, WebP, GIF (its first frame) or BMP file with a zero Decoder.
func Decode(r io.Reader) (*RGB, error) { return Decoder{}.Decode(r) }

// Decode reads a JPEG, PNG, WebP, GIF (its first frame) or BMP file to its end. EXIF orientation is applied, alpha is
// dropped, 16-bit values lose their low byte, gray and palettes are expanded. Errors of the file are ErrImage, those of
// r are r's.
func (d Decoder) Decode(r io.Reader) (*RGB, error) {
	file, err := Read(r)
	if err != nil {
		return nil, err
	}
	return d.decode(file)
}

// Read reads a picture file to its end without decoding it. Files above 256 MB are refused with ErrImage.
func Read(r io.Reader) ([]byte, error) {
	file, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err != nil {
		return nil, errors.Wrap(err, "read picture")
	}
	if len(file) > maxFileBytes {
		return nil, imageError("file above %d bytes", maxFileBytes)
	}
	return file, nil
}

// DecodeFile reads the picture file at path as Decode does.
func (d Decoder) DecodeFile(path string) (*RGB, error) {
	m, err := d.decodeFile(path)
	return m, errors.WithMessage(err, path)
}

func (d Decoder) decodeFile(path string) (*RGB, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would wait for its writer
		return nil, imageError("not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.WithStack(err)
	}
	defer file.Close()
	return d.Decode(file)
}

// format is one kind of picture file.
type format struct {
	name   string
	magic  string // the first bytes; ? stands for any
	config func(io.Reader) (image.Config, error)
	decode func(file []byte, reduce int) (image.Image, error) // reduce is 1 or, where the format can, 2, 4 or 8
	exif   func(file []byte) []byte                           // the TIFF block within file, or nil
	chroma *chromaRule
}

var formats = []format{
	{"JPEG", "\xff\xd8\xff", stdjpeg.DecodeConfig, decodeJPEG, jpegExif, &jfif},
	{"PNG", "\x89PNG\r\n\x1a\n", png.DecodeConfig, whole(png.Decode), pngExif, &jfif},
	{"WebP", "RIFF????WEBP", webp.DecodeConfig, whole(webp.Decode), webpExif, &vp8},
	{"GIF", "GIF8?a", gif.DecodeConfig, decodeGIF, nil, &jfif},
	{"BMP", "BM", bmp.DecodeConfig, whole(bmp.Decode), nil, &jfif},
}

// whole is a decoder that cannot reduce.
func whole(decode func(io.Reader) (image.Image, error)) func(file []byte, reduce int) (image.Image, error) {
	return func(file []byte, _ int) (image.Image, error) { return decode(bytes.NewReader(file)) }
}

// decodeJPEG leaves what our decoder does not read (CMYK, RGB) to Go's, at full size.
func decodeJPEG(file []byte, reduce int) (image.Image, error) {
	img, err := jpeg.Decode(file, reduce)
	if !errors.Is(err, jpeg.ErrUnsupported) {
		return img, err
	}
	if c, err := stdjpeg.DecodeConfig(bytes.NewReader(file)); err == nil && c.Width*c.Height > maxRareJPEG {
		return nil, errors.Errorf("more than %d pixels in CMYK or RGB", maxRareJPEG)
	}
	return stdjpeg.Decode(bytes.NewReader(file))
}

// sniff finds the format of a file by its first bytes, nil if it is none of ours.
func sniff(head []byte) *format {
	for i := range formats {
		if matches(formats[i].magic, head) {
			return &formats[i]
		}
	}
	return nil
}

func matches(magic string, head []byte) bool {
	if len(head) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != head[i] {
			return false
		}
	}
	return true
}

func (d Decoder) decode(file []byte) (m *RGB, err error) {
	f := sniff(file)
	if f == nil {
		return nil, imageError("%d bytes that start with %q, expected JPEG, PNG, WebP, GIF or BMP", len(file), file[:min(len(file), 8)])
	}
	// The decoders are not ours, and their input is anybody's: a panic in one is that file's error, not the program's end.
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, imageError("%s: decoder panicked: %v", f.name, p)
		}
	}()
	c, err := f.config(bytes.NewReader(file))
	if err != nil {
		return nil, imageError("%s header: %v", f.name, err)
	}
	if err := d.checkConfig(c); err != nil {
		return nil, errors.WithMessage(err, f.name)
	}
	img, err := f.decode(file, d.reduce(c.Width, c.Height))
	if err != nil {
		return nil, imageError("%s, %dx%d: %v", f.name, c.Width, c.Height, err)
	}
	return f.finish(file, img, c)
}

// finish converts what a decoder returned and turns it upright.
func (f *format) finish(file []byte, img image.Image, c image.Config) (*RGB, error) {
	full := image.Rect(0, 0, c.Width, c.Height)
	if !img.Bounds().In(full) {
		return nil, imageError("%s: pixels at %v in a picture of %dx%d", f.name, img.Bounds(), c.Width, c.Height)
	}
	m, err := convert(img, f.chroma)
	if err != nil {
		return nil, errors.WithMessage(err, f.name)
	}
	if f.exif != nil {
		m = m.orient(orientation(f.exif(file)))
	}
	return m, nil
}

// checkConfig refuses what would need too much memory: more than the limit of pixels, or of 8 bytes each of them.
func (d Decoder) checkConfig(c image.Config) error {
	limit := d.MaxPixels
	if limit <= 0 {
		limit = DefaultMaxPixels
	}
	if err := checkSize(c.Width, c.Height, limit); err != nil {
		return err
	}
	size := 3 + decodedBytes(c.ColorModel) // of the RGB and of what it is made of
	if most := 8 * int64(limit) / size; int64(c.Width)*int64(c.Height) > most {
		return imageError("%dx%d pixels of %d bytes while decoding, at most %d such are read", c.Width, c.Height, size, most)
	}
	return nil
}

// decodedBytes is about what Go's decoders take for a pixel.
func decodedBytes(m color.Model) int64 {
	switch m {
	case color.NRGBA64Model, color.RGBA64Model:
		return 8
	case color.GrayModel, color.Gray16Model:
		return 2
	}
	return 4
}

func checkSize(w, h, limit int) error {
	if w < 1 || h < 1 {
		return imageError("%dx%d pixels", w, h)
	}
	if w > maxSide || h > maxSide || int64(w)*int64(h) > int64(limit) {
		return imageError("%dx%d pixels, at most %d and %d a side are read", w, h, limit, maxSide)
	}
	return nil
}
