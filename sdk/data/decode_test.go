package data

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func readTestFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// withSize rewrites the size that a PNG's header states.
func withSize(png []byte, w, h uint32) []byte {
	out := bytes.Clone(png)
	binary.BigEndian.PutUint32(out[16:], w)
	binary.BigEndian.PutUint32(out[20:], h)
	binary.BigEndian.PutUint32(out[29:], crc32.ChecksumIEEE(out[12:29]))
	return out
}

// withFrame rewrites the size in a baseline JPEG's frame header.
func withFrame(jpg []byte, w, h uint16) []byte {
	out := bytes.Clone(jpg)
	at := bytes.Index(out, []byte{0xff, 0xc0, 0})
	binary.BigEndian.PutUint16(out[at+5:], h)
	binary.BigEndian.PutUint16(out[at+7:], w)
	return out
}

// withGIFSize rewrites the picture's size and its first frame's.
func withGIFSize(gif []byte, w, h uint16) []byte {
	out := bytes.Clone(gif)
	frame := bytes.Index(out, append([]byte{0x2c, 0, 0, 0, 0}, out[6:10]...))
	for _, at := range []int{6, frame + 5} {
		binary.LittleEndian.PutUint16(out[at:], w)
		binary.LittleEndian.PutUint16(out[at+2:], h)
	}
	return out
}

// withWebPSize rewrites the size in a lossy WebP's frame header.
func withWebPSize(webp []byte, w, h uint16) []byte {
	out := bytes.Clone(webp)
	at := bytes.Index(out, []byte{0x9d, 0x01, 0x2a})
	binary.LittleEndian.PutUint16(out[at+3:], w)
	binary.LittleEndian.PutUint16(out[at+5:], h)
	return out
}

func withBMPSize(bmp []byte, w, h uint32) []byte {
	out := bytes.Clone(bmp)
	binary.LittleEndian.PutUint32(out[18:], w)
	binary.LittleEndian.PutUint32(out[22:], h)
	return out
}

func TestDecodeRefuses(t *testing.T) {
	png, jpg := readTestFile(t, "preprocess/rgb.png"), readTestFile(t, "preprocess/photo444.jpg")
	png16 := readTestFile(t, "preprocess/rgb16.png")
	webp, gif, bmp := readTestFile(t, "extra/lossy_37x23.webp"), readTestFile(t, "extra/palette.gif"), readTestFile(t, "extra/rgb.bmp")
	for _, c := range []struct {
		name string
		file []byte
		says string
	}{
		{"empty", nil, "0 bytes"},
		{"text", []byte("hello"), `"hello", expected JPEG`},
		{"cut JPEG", jpg[:len(jpg)/2], "JPEG"},
		{"cut PNG", png[:len(png)/2], "PNG"},
		{"cut WebP", webp[:len(webp)/2], "WebP"},
		{"cut GIF", gif[:len(gif)/2], "GIF"},
		{"cut BMP", bmp[:len(bmp)/2], "BMP"},
		{"PNG that claims more rows", withSize(png, 53, 4000), "PNG"},
		{"PNG of no width", withSize(png, 0, 7), "PNG"},
		{"PNG above the limit", withSize(png, 20000, 20000), "20000x20000"},
		{"PNG of 16 bits above the memory's limit", withSize(png16, 10000, 9000), "10000x9000 pixels of 11 bytes"},
		{"JPEG of more pixels than bits", withFrame(jpg, 9999, 9999), "9999x9999 pixels in"},
		{"JPEG above the limit", withFrame(jpg, 20000, 20000), "20000x20000"},
		{"CMYK JPEG above its limit", withFrame(readTestFile(t, "preprocess/cmyk.jpg"), 9999, 9999), "in CMYK or RGB"},
		{"GIF of more pixels than it has", withGIFSize(gif, 9999, 9999), "GIF"},
		{"WebP of more pixels than it has", withWebPSize(webp, 3000, 3000), "WebP"},
		{"BMP of more pixels than it has", withBMPSize(bmp, 9999, 9999), "BMP"},
		{"BMP above the limit", withBMPSize(bmp, 1<<30, 1<<30), "1073741824x1073741824"},
		{"PNG of one endless row", withSize(png, 80_000_000, 1), "80000000x1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(bytes.NewReader(c.file))
			if !errors.Is(err, ErrImage) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want ErrImage that says %q", err, c.says)
			}
		})
	}
	if _, err := Decode(iotest.ErrReader(io.ErrClosedPipe)); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrImage) {
		t.Errorf("a reader's error came back as %v", err)
	}
}

func TestPixelLimit(t *testing.T) {
	file := readTestFile(t, "preprocess/rgb.png")
	m, err := Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	n := m.Width * m.Height
	if _, err := (Decoder{MaxPixels: n}).Decode(bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
	if _, err := (Decoder{MaxPixels: n - 1}).Decode(bytes.NewReader(file)); !errors.Is(err, ErrImage) {
		t.Errorf("one pixel above the limit: %v", err)
	}
}

// generic hides a picture's type, so that it is read pixel by pixel.
type generic struct{ image.Image }

// TestFromImage: every memory layout, cut out of a larger picture, gives what reading pixel by pixel gives.
func TestFromImage(t *testing.T) {
	r := image.Rect(-3, 2, 14, 13)
	inner := image.Rect(1, 5, 8, 12)
	palette := color.Palette{color.White, color.NRGBA{200, 100, 50, 128}, color.RGBA{1, 2, 3, 255}}
	type settable interface {
		image.Image
		Set(x, y int, c color.Color)
		SubImage(image.Rectangle) image.Image
	}
	for name, m := range map[string]settable{
		"gray": image.NewGray(r), "gray16": image.NewGray16(r), "rgba": image.NewRGBA(r), "rgba64": image.NewRGBA64(r),
		"nrgba": image.NewNRGBA(r), "nrgba64": image.NewNRGBA64(r), "paletted": image.NewPaletted(r, palette),
	} {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				m.Set(x, y, color.NRGBA64{uint16(x * 4001), uint16(y * 5003), uint16(x * y * 97), uint16(x*3000 + 20000)})
			}
		}
		sub := m.SubImage(inner)
		got, err := FromImage(sub)
		if err != nil {
			t.Fatal(err)
		}
		want, err := FromImage(generic{sub})
		if err != nil {
			t.Fatal(err)
		}
		if worst, _ := distance(t, got, want); worst != 0 {
			t.Errorf("%s differs by up to %d", name, worst)
		}
	}
}

// TestAlphaIsDropped: the stored colour counts, however transparent.
func TestAlphaIsDropped(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 1, 1))
	m.SetNRGBA(0, 0, color.NRGBA{200, 100, 50, 3})
	got, err := FromImage(m)
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint8{200, 100, 50}; !slices.Equal(got.Pix, want) {
		t.Errorf("got %v, want %v", got.Pix, want)
	}
}

// TestYCbCrCut: a cut at an odd place shares chroma samples with its neighbours, so away from its edges it equals the
// same cut of the converted whole.
func TestYCbCrCut(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422,
		image.YCbCrSubsampleRatio420, image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410} {
		m := image.NewYCbCr(image.Rect(0, 0, 29, 23), ratio)
		for _, plane := range [][]uint8{m.Y, m.Cb, m.Cr} {
			for i := range plane {
				plane[i] = uint8(i * 37)
			}
		}
		whole, err := FromImage(m)
		if err != nil {
			t.Fatal(err)
		}
		part, err := FromImage(m.SubImage(image.Rect(5, 3, 24, 20)))
		if err != nil {
			t.Fatal(err)
		}
		const edge = 4
		got := part.region(edge, edge, 19-2*edge, 17-2*edge)
		if worst, _ := distance(t, got, whole.region(5+edge, 3+edge, 19-2*edge, 17-2*edge)); worst != 0 {
			t.Errorf("%v differs by up to %d", ratio, worst)
		}
	}
}

func TestFromImageRefuses(t *testing.T) {
	short := image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420)
	short.Cb = short.Cb[:15]
	for name, m := range map[string]image.Image{
		"nil": nil, "empty": image.NewGray(image.Rect(0, 0, 0, 3)), "endless": image.NewUniform(color.Black),
		"short pixels": &image.RGBA{Pix: make([]uint8, 63), Stride: 16, Rect: image.Rect(0, 0, 4, 4)},
		"rows overlap": &image.Gray{Pix: make([]uint8, 64), Stride: 3, Rect: image.Rect(0, 0, 4, 4)},
		"short chroma": short,
	} {
		if _, err := FromImage(m); !errors.Is(err, ErrImage) {
			t.Errorf("%s: got %v, want ErrImage", name, err)
		}
	}
}

// tiffBlock is an image directory whose only entry is the orientation.
func tiffBlock(order binary.AppendByteOrder, kind uint16, value uint32) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 1)
	b = order.AppendUint16(b, 0x0112)
	b = order.AppendUint16(b, kind)
	b = order.AppendUint32(b, 1)
	if kind == 3 {
		return append(order.AppendUint16(b, uint16(value)), 0, 0)
	}
	return order.AppendUint32(b, value)
}

func TestOrientation(t *testing.T) {
	le, be := binary.LittleEndian, binary.BigEndian
	for _, c := range []struct {
		name string
		tiff []byte
		want int
	}{
		{"little endian", tiffBlock(le, 3, 6), 6}, {"big endian", tiffBlock(be, 3, 8), 8}, {"long", tiffBlock(be, 4, 3), 3},
		{"zero", tiffBlock(le, 3, 0), 1}, {"nine", tiffBlock(le, 3, 9), 1}, {"text", tiffBlock(le, 2, 6), 1},
		{"none", nil, 1}, {"cut", tiffBlock(le, 3, 6)[:20], 1}, {"directory outside", []byte("II*\x00\xff\xff\xff\xff"), 1},
	} {
		if got := orientation(c.tiff); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func FuzzOrientation(f *testing.F) {
	f.Add(tiffBlock(binary.LittleEndian, 3, 6))
	f.Add(tiffBlock(binary.BigEndian, 4, 3))
	f.Add(readTestFile(f, "preprocess/exif.jpg"))
	f.Add(readTestFile(f, "extra/orient5.png"))
	f.Add(readTestFile(f, "extra/orient6.webp"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, block := range [][]byte{b, jpegExif(b), pngExif(b), webpExif(b)} {
			if o := orientation(block); o < 1 || o > 8 {
				t.Fatalf("orientation %d", o)
			}
		}
	})
}

func FuzzDecode(f *testing.F) {
	for _, pattern := range []string{"preprocess/*.*g", "extra/*"} {
		paths, _ := filepath.Glob(filepath.Join("testdata", pattern))
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decoder{MaxPixels: 1 << 16}.Decode(bytes.NewReader(b))
		if err != nil {
			if !errors.Is(err, ErrImage) {
				t.Fatalf("%v is not ErrImage", err)
			}
			if strings.Contains(err.Error(), "panicked") {
				t.Logf("contained: %v", err)
			}
			return
		}
		if err := m.check(); err != nil {
			t.Fatal(err)
		}
		if _, err := smallPipeline.Apply(m); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGIFFrame: a first frame that is smaller than its picture keeps its place, and transparency takes no colour away. The
// pixels are those of Pillow 13.0.0's convert("RGB").
func TestGIFFrame(t *testing.T) {
	white, brown, blue := color.NRGBA{255, 255, 255, 255}, color.NRGBA{200, 100, 50, 255}, color.NRGBA{1, 2, 3, 255}
	for _, c := range []struct {
		name   string
		third  color.Color // of the palette; Go's encoder makes the index of one without alpha transparent
		around color.NRGBA
	}{
		{"opaque", blue, white},
		{"transparent", color.NRGBA{}, color.NRGBA{}},
	} {
		frame := image.NewPaletted(image.Rect(2, 1, 4, 3), color.Palette{white, brown, c.third})
		frame.SetColorIndex(3, 2, 1)
		frame.SetColorIndex(2, 2, 2)
		var file bytes.Buffer
		err := gif.EncodeAll(&file, &gif.GIF{Image: []*image.Paletted{frame}, Delay: []int{0}, Config: image.Config{Width: 5, Height: 4}})
		if err != nil {
			t.Fatal(err)
		}
		around := c.around
		if c.name == "transparent" { // the encoder wrote it black: give the index a colour again
			b := file.Bytes()
			palette := bytes.Index(b, []byte{255, 255, 255, 200, 100, 50})
			copy(b[palette+6:], []byte{blue.R, blue.G, blue.B})
			around = blue
		}
		got, err := Decode(&file)
		if err != nil {
			t.Fatal(err)
		}
		want := newRGB(5, 4)
		set := func(x, y int, c color.NRGBA) { copy(want.Pix[3*(y*5+x):], []byte{c.R, c.G, c.B}) }
		for i := range 20 {
			set(i%5, i/5, around)
		}
		set(2, 1, white)
		set(3, 1, white)
		set(2, 2, blue)
		set(3, 2, brown)
		if worst, _ := distance(t, got, want); worst != 0 {
			t.Errorf("%s: got %v, want %v", c.name, got.Pix, want.Pix)
		}
	}
}
