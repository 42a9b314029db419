// Package jpeg decodes JPEG files to the samples that libjpeg makes of them, at full size or reduced by 2, 4 or 8.
//
// It reads what cameras and tools write: Huffman coded baseline, extended and progressive files of 8 bits, gray or YCbCr
// with any usual chroma sampling. The rest (CMYK, RGB, arithmetic coding, 12 bits, lossless) is ErrUnsupported, and the
// standard library's image/jpeg is there for what it knows of that. Source of the format: ITU-T T.81.
package jpeg

import (
	"image"

	"github.com/pkg/errors"
)

// ErrUnsupported says that a file may well be sound, but is of a kind that this package does not read.
var ErrUnsupported = errors.New("unsupported kind of JPEG")

const (
	maxScans        = 32        // in which one component may occur; encoders write about ten, files made to waste time thousands
	maxCoefficients = 200 << 20 // of a progressive file, which are kept until its last scan: 400 MB
)

// Decode reads a whole file. Each sample of the result is the mean of reduce x reduce samples of the picture at full
// size, which are never computed; reduce is 1, 2, 4 or 8, and sides are rounded up. The result is an *image.Gray or an
// *image.YCbCr whose chroma is as the file stores it, not interpolated; a reduced picture's chroma is reduced less
// where the file holds less of it. Rows may be longer than the picture is wide.
//
// The caller bounds the size beforehand. At most 2 bytes a pixel and sample of memory are used, thrice as many where
// the file is progressive.
func Decode(file []byte, reduce int) (image.Image, error) {
	if reduce != 1 && reduce != 2 && reduce != 4 && reduce != 8 {
		return nil, errors.Errorf("reduce by %d, expected 1, 2, 4 or 8", reduce)
	}
	d := decoder{rest: file, total: len(file), blockSize: 8 / reduce}
	if err := d.segments(); err != nil {
		return nil, errors.WithMessagef(err, "byte %d", d.total-len(d.rest))
	}
	if d.progressive {
		for _, c := range d.components {
			c.reconstruct()
		}
	}
	return d.picture(reduce)
}

// decoder holds what the segments of a file have said so far.
type decoder struct {
	rest      []byte // what is still to be read
	total     int
	blockSize int // samples that a full resolution block of 8 x 8 becomes, a side

	width, height int
	progressive   bool
	components    []*component // of the frame; none before its header
	mcusX, mcusY  int
	hmax, vmax    int

	quants   [4]*quantTable
	dc, ac   [4]*huffman
	data     []byte // of the scan, without stuffing
	restart  int    // MCUs between restart markers, 0: none
	jfif     bool
	adobe    bool
	adobeRGB bool
}

// Second bytes of the markers.
const (
	sof0  = 0xc0 // frames: baseline, extended, progressive
	sof2  = 0xc2
	dht   = 0xc4
	jpg   = 0xc8
	dac   = 0xcc
	rst0  = 0xd0
	rst7  = 0xd7
	soi   = 0xd8
	eoi   = 0xd9
	sos   = 0xda
	dqt   = 0xdb
	dri   = 0xdd
	app0  = 0xe0
	app14 = 0xee
	tem   = 0x01
)

var errShort = errors.New("file ends early")

// segments reads up to the end of the picture.
func (d *decoder) segments() error {
	if len(d.rest) < 2 || d.rest[0] != 0xff || d.rest[1] != soi {
		return errors.New("no start of image")
	}
	d.rest = d.rest[2:]
	for {
		m, err := d.marker()
		if err != nil {
			return err
		}
		if m == eoi {
			return d.complete()
		}
		if m == tem || m >= rst0 && m <= rst7 {
			continue
		}
		body, err := d.body()
		if err != nil {
			return err
		}
		if err := d.segment(m, body); err != nil {
			return err
		}
		if m == sos && !d.progressive && d.complete() == nil {
			return nil // what follows cannot change the picture, and is often missing
		}
	}
}

// marker reads the next one and skips the fill bytes and garbage before it, as libjpeg does.
func (d *decoder) marker() (byte, error) {
	for i := 0; i+1 < len(d.rest); i++ {
		if m := d.rest[i+1]; d.rest[i] == 0xff && m != 0 && m != 0xff {
			d.rest = d.rest[i+2:]
			return m, nil
		}
	}
	return 0, errShort
}

// body cuts a segment's contents off, whose length comes first and counts itself.
func (d *decoder) body() ([]byte, error) {
	if len(d.rest) < 2 {
		return nil, errShort
	}
	n := int(d.rest[0])<<8 | int(d.rest[1])
	if n < 2 {
		return nil, errors.Errorf("segment of %d bytes", n)
	}
	if n > len(d.rest) {
		return nil, errShort
	}
	b := d.rest[2:n]
	d.rest = d.rest[n:]
	return b, nil
}

func (d *decoder) segment(m byte, b []byte) error {
	switch {
	case m >= sof0 && m <= sof2:
		return d.frame(m, b)
	case m == dht:
		return d.huffmanTables(b)
	case m == dac || m > sof2 && m <= 0xcf && m != jpg:
		return errors.Wrapf(ErrUnsupported, "marker %02x", m)
	case m == dqt:
		return d.quantTables(b)
	case m == dri:
		if len(b) != 2 {
			return errors.Errorf("restart interval of %d bytes", len(b))
		}
		d.restart = int(b[0])<<8 | int(b[1])
	case m == sos:
		return d.scan(b)
	case m == app0:
		d.jfif = d.jfif || len(b) >= 5 && string(b[:5]) == "JFIF\x00"
	case m == app14:
		if len(b) >= 12 && string(b[:5]) == "Adobe" {
			d.adobe, d.adobeRGB = true, b[11] == 0
		}
	}
	return nil
}

// complete says what is missing of the picture.
func (d *decoder) complete() error {
	if len(d.components) == 0 {
		return errors.New("no frame")
	}
	for _, c := range d.components {
		if c.scans == 0 {
			return errors.Errorf("no scan of component %d", c.id)
		}
	}
	return nil
}

// picture wraps the planes.
func (d *decoder) picture(reduce int) (image.Image, error) {
	rect := image.Rect(0, 0, ceilDiv(d.width, reduce), ceilDiv(d.height, reduce))
	y := d.components[0]
	if len(d.components) == 1 {
		return &image.Gray{Pix: y.plane, Stride: y.stride, Rect: rect}, nil
	}
	cb, cr := d.components[1], d.components[2]
	ratio, ok := ratios[[2]int{y.h * y.size / (cb.h * cb.size), y.v * y.size / (cb.v * cb.size)}]
	if !ok {
		return nil, errors.Wrapf(ErrUnsupported, "luma %dx%d to chroma %dx%d", y.h, y.v, cb.h, cb.v)
	}
	return &image.YCbCr{Y: y.plane, Cb: cb.plane, Cr: cr.plane, YStride: y.stride, CStride: cb.stride, SubsampleRatio: ratio, Rect: rect}, nil
}

// ratios by luma samples a chroma sample, across and down.
var ratios = map[[2]int]image.YCbCrSubsampleRatio{
	{1, 1}: image.YCbCrSubsampleRatio444, {2, 1}: image.YCbCrSubsampleRatio422, {2, 2}: image.YCbCrSubsampleRatio420,
	{1, 2}: image.YCbCrSubsampleRatio440, {4, 1}: image.YCbCrSubsampleRatio411, {4, 2}: image.YCbCrSubsampleRatio410,
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
