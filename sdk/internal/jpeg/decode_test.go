package jpeg

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// plane is one channel of a decoded picture, without what lies beyond its edges.
type plane struct {
	pix    []uint8
	stride int
	w, h   int
}

func (p plane) at(x, y int) int { return int(p.pix[y*p.stride+x]) }

// planes takes a picture apart.
func planes(t testing.TB, img image.Image) []plane {
	t.Helper()
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	switch m := img.(type) {
	case *image.Gray:
		return []plane{{m.Pix, m.Stride, w, h}}
	case *image.YCbCr:
		cw, ch := w, h
		switch m.SubsampleRatio {
		case image.YCbCrSubsampleRatio420:
			cw, ch = ceilDiv(w, 2), ceilDiv(h, 2)
		case image.YCbCrSubsampleRatio422:
			cw = ceilDiv(w, 2)
		case image.YCbCrSubsampleRatio444:
		default:
			t.Fatalf("ratio %v", m.SubsampleRatio)
		}
		return []plane{{m.Y, m.YStride, w, h}, {m.Cb, m.CStride, cw, ch}, {m.Cr, m.CStride, cw, ch}}
	}
	t.Fatalf("%T", img)
	return nil
}

func worst(t testing.TB, got, want image.Image) int {
	t.Helper()
	p, q := planes(t, got), planes(t, want)
	if len(p) != len(q) {
		t.Fatalf("%d planes, want %d", len(p), len(q))
	}
	most := 0
	for i := range p {
		if p[i].w != q[i].w || p[i].h != q[i].h {
			t.Fatalf("plane %d of %dx%d, want %dx%d", i, p[i].w, p[i].h, q[i].w, q[i].h)
		}
		for y := range p[i].h {
			for x := range p[i].w {
				d := p[i].at(x, y) - q[i].at(x, y)
				most = max(most, d, -d)
			}
		}
	}
	return most
}

func decode(t testing.TB, name string, reduce int) image.Image {
	t.Helper()
	img, err := Decode(readFile(t, name), reduce)
	if err != nil {
		t.Fatalf("%s by %d: %v", name, reduce, err)
	}
	return img
}

var sound = []string{"444", "422", "420", "420_progressive", "444_progressive", "420_restart", "420_progressive_restart",
	"420_optimized", "gray", "gray_progressive"}

// TestAgainstStandardLibrary: two correct inverse DCTs differ by a level at most.
func TestAgainstStandardLibrary(t *testing.T) {
	for _, name := range sound {
		want, err := jpeg.Decode(bytes.NewReader(readFile(t, name+".jpg")))
		if name == "420_progressive_restart" && err != nil {
			continue // refused for a missing 0xff00, unlike by libjpeg; TestSameCoefficients has it
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := worst(t, decode(t, name+".jpg", 1), want); d > 1 {
			t.Errorf("%s differs by %d", name, d)
		}
	}
	if d := worst(t, decode(t, "gray.jpg", 1), inverted(decode(t, "gray.jpg", 1).(*image.Gray))); d < 100 {
		t.Errorf("a negative differs by only %d", d)
	}
}

func inverted(m *image.Gray) *image.Gray {
	n := *m
	n.Pix = bytes.Clone(m.Pix)
	for i := range n.Pix {
		n.Pix[i] ^= 0xff
	}
	return &n
}

// TestSameCoefficients: how a file cuts its coefficients up changes no bit.
func TestSameCoefficients(t *testing.T) {
	for _, reduce := range []int{1, 2, 4, 8} {
		want := decode(t, "420.jpg", reduce)
		for _, name := range []string{"420_optimized", "420_progressive", "420_restart", "420_progressive_restart"} {
			if d := worst(t, decode(t, name+".jpg", reduce), want); d != 0 {
				t.Errorf("%s by %d differs by %d", name, reduce, d)
			}
		}
	}
}

// TestReducedIsMean: a sample of a reduced picture is the mean of those that it stands for.
func TestReducedIsMean(t *testing.T) {
	for _, name := range []string{"444", "444_progressive", "gray"} {
		full := planes(t, decode(t, name+".jpg", 1))
		for _, reduce := range []int{2, 4, 8} {
			for i, p := range planes(t, decode(t, name+".jpg", reduce)) {
				if p.w != ceilDiv(61, reduce) || p.h != ceilDiv(45, reduce) {
					t.Fatalf("%s by %d: %dx%d", name, reduce, p.w, p.h)
				}
				for y := range p.h {
					for x := range p.w {
						if (x+1)*reduce > 61 || (y+1)*reduce > 45 {
							continue // also stands for samples beyond the edge
						}
						sum := 0
						for k := range reduce * reduce {
							sum += full[i].at(x*reduce+k%reduce, y*reduce+k/reduce)
						}
						if d := p.at(x, y)*reduce*reduce - sum; max(d, -d) > 3*reduce*reduce/2 {
							t.Fatalf("%s by %d, plane %d, (%d, %d) is %d, the mean %.2f", name, reduce, i, x, y, p.at(x, y), float64(sum)/float64(reduce*reduce))
						}
					}
				}
			}
		}
	}
}

func TestUnsupported(t *testing.T) {
	lossless := bytes.Replace(readFile(t, "gray.jpg"), []byte{0xff, sof0}, []byte{0xff, 0xc3}, 1)
	arithmetic := bytes.Replace(readFile(t, "gray.jpg"), []byte{0xff, sof0}, []byte{0xff, 0xc9}, 1)
	for name, file := range map[string][]byte{"CMYK": readFile(t, "cmyk.jpg"), "RGB": readFile(t, "rgb.jpg"),
		"lossless": lossless, "arithmetic": arithmetic} {
		if _, err := Decode(file, 1); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCut: a file that ends early is refused wherever it was cut, before the end of its last scan's data.
func TestCut(t *testing.T) {
	for _, name := range sound {
		file := readFile(t, name+".jpg")
		for n := 0; n < len(file)-3; n += 1 + n/100 {
			if img, err := Decode(file[:n], 1); err == nil {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(file), img.Bounds())
			}
		}
	}
}

// edit applies changes to a copy of a file, found by the bytes before them.
func edit(file []byte, after []byte, skip int, with ...byte) []byte {
	out := bytes.Clone(file)
	copy(out[bytes.Index(out, after)+len(after)+skip:], with)
	return out
}

func TestRefuses(t *testing.T) {
	base, progressive := readFile(t, "420.jpg"), readFile(t, "420_progressive.jpg")
	frame, scan := []byte{0xff, sof0, 0, 17}, []byte{0xff, sos, 0, 12}
	begin := bytes.Index(base, []byte{0xff, sof0})
	dcScan := progressive[bytes.Index(progressive, scan):]
	dcScan = dcScan[:bytes.Index(dcScan[2:], []byte{0xff, dht})+2]
	frames := append(bytes.Clone(base[:begin+19]), base[begin:]...)
	for _, c := range []struct {
		name string
		file []byte
		says string
	}{
		{"empty", nil, "no start"},
		{"only a start", []byte{0xff, soi}, "ends early"},
		{"nothing in it", []byte{0xff, soi, 0xff, eoi}, "no frame"},
		{"no width", edit(base, frame, 3, 0, 0), "0x45 pixels"},
		{"no height", edit(base, frame, 1, 0, 0), "61x0 pixels"},
		{"larger than its data", edit(base, frame, 1, 0xff, 0xff, 0xff, 0xff), "65535x65535 pixels in"},
		{"higher than its data", edit(base, frame, 1, 0, 200), "ends early"},
		{"sampled 0x2", edit(base, frame, 7, 0x02), "sampled 0x2"},
		{"quantisation table 3", edit(base, frame, 8, 3), "no quantisation table 3"},
		{"unknown component", edit(base, scan, 1, 9), "component 9"},
		{"one component twice", edit(base, scan, 3, 1), "twice"},
		{"Huffman table 3", edit(base, scan, 2, 0x33), "no Huffman table"},
		{"two frames", frames, "two frames"},
		{"scan of no coefficients", edit(progressive, scan, 7, 5, 3), "coefficients 5 to 3"},
		{"endless scans", append(bytes.Clone(progressive[:len(progressive)-2]), bytes.Repeat(dcScan, maxScans)...), "more than 32 scans"},
	} {
		_, err := Decode(c.file, 1)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
	}
	if _, err := Decode(base, 3); err == nil {
		t.Error("reduced by 3")
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range append(sound, "rgb", "cmyk") {
		f.Add(readFile(f, name+".jpg"), uint8(0))
		f.Add(readFile(f, name+".jpg"), uint8(2))
	}
	f.Fuzz(func(t *testing.T, file []byte, reduce uint8) {
		r := 1 << (reduce % 4)
		c, err := jpeg.DecodeConfig(bytes.NewReader(file))
		if err == nil && c.Width*c.Height > 1<<16 {
			return // its memory is for the caller to bound
		}
		img, err := Decode(file, r)
		if err != nil {
			return
		}
		b := img.Bounds()
		if len(lastSamples(img)) == 0 {
			t.Fatalf("%T of %v", img, b)
		}
	})
}

// lastSamples touches the last one of each plane.
func lastSamples(img image.Image) (last []uint8) {
	b := img.Bounds()
	switch m := img.(type) {
	case *image.Gray:
		return []uint8{m.GrayAt(b.Max.X-1, b.Max.Y-1).Y}
	case *image.YCbCr:
		at := m.COffset(b.Max.X-1, b.Max.Y-1)
		return []uint8{m.Y[m.YOffset(b.Max.X-1, b.Max.Y-1)], m.Cb[at], m.Cr[at]}
	}
	return nil
}
