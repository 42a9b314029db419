package data

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

var (
	imagenetMean = [3]float32{0.485, 0.456, 0.406}
	imagenetStd  = [3]float32{0.229, 0.224, 0.225}
	referenceFit = Pipeline{Fit: Crop, Size: 32, Resize: 36, Mean: imagenetMean, Std: imagenetStd}
)

// goldenFile opens a file of reference tensors.
func goldenFile(t testing.TB, name string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// goldenRGB reads a U8 tensor [H, W, 3].
func goldenRGB(t testing.TB, f *checkpoint.File, name string) *RGB {
	t.Helper()
	info, err := f.Info(name)
	if err != nil {
		t.Fatal(err)
	}
	b, err := f.Bytes(name)
	if err != nil {
		t.Fatal(err)
	}
	return &RGB{Width: info.Shape[1], Height: info.Shape[0], Pix: b}
}

// distance is the largest and the mean absolute difference of two pictures of one size.
func distance(t testing.TB, got, want *RGB) (worst int, mean float64) {
	t.Helper()
	if got.Width != want.Width || got.Height != want.Height {
		t.Fatalf("got %dx%d, want %dx%d", got.Width, got.Height, want.Width, want.Height)
	}
	sum := 0
	for i, v := range got.Pix {
		d := int(v) - int(want.Pix[i])
		d = max(d, -d)
		worst, sum = max(worst, d), sum+d
	}
	return worst, float64(sum) / float64(len(got.Pix))
}

func decodeFile(t testing.TB, path string) *RGB {
	t.Helper()
	m, err := Decoder{}.DecodeFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// decodeBound is how far a decoded file may be off: CMYK by a level of the standard library's inverse DCT, all others by
// nothing, JPEG included.
func decodeBound(name string) int {
	if name == "cmyk.jpg" || name == "ycck_like.jpg" {
		return 1
	}
	return 0
}

func TestDecodeReference(t *testing.T) {
	golden := goldenFile(t, "preprocess/golden.safetensors")
	paths, _ := filepath.Glob("testdata/preprocess/*.*g")
	if len(paths) != 12 {
		t.Fatalf("%d pictures, expected 12", len(paths))
	}
	for _, path := range paths {
		name := filepath.Base(path)
		t.Run(name, func(t *testing.T) {
			tensor, bound := name, decodeBound(name)
			if name == "exif.jpg" {
				tensor += ".upright"
			}
			got := decodeFile(t, "preprocess/"+name)
			worst, mean := distance(t, got, goldenRGB(t, golden, tensor+".rgb8"))
			t.Logf("max %d, mean %.3f", worst, mean)
			if worst > bound {
				t.Errorf("differs by up to %d of 255, at most %d expected", worst, bound)
			}
		})
	}
}

// TestDecodeExtra covers the formats, orientations and chroma layouts that the reference lacks.
func TestDecodeExtra(t *testing.T) {
	golden := goldenFile(t, "extra.safetensors")
	for _, name := range golden.Names() {
		if strings.HasPrefix(name, "resize.") || strings.HasPrefix(name, "draft") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			bound := decodeBound(name)
			worst, mean := distance(t, decodeFile(t, "extra/"+name), goldenRGB(t, golden, name))
			t.Logf("max %d, mean %.3f", worst, mean)
			if worst > bound {
				t.Errorf("differs by up to %d of 255, at most %d expected", worst, bound)
			}
		})
	}
}

// TestDecodeReduced: files at 1/2, 1/4 and 1/8 are what Pillow's draft mode makes of them, to the last bit.
func TestDecodeReduced(t *testing.T) {
	golden := goldenFile(t, "extra.safetensors")
	cases := 0
	for _, name := range golden.Names() {
		reduce, file, ok := strings.Cut(strings.TrimPrefix(name, "draft"), ".")
		if !ok || !strings.HasPrefix(name, "draft") {
			continue
		}
		cases++
		t.Run(name, func(t *testing.T) {
			full := decodeFile(t, "extra/"+file)
			r := int(reduce[0] - '0')
			d := Decoder{MinSide: min(full.Width, full.Height) / r}
			got, err := d.DecodeFile(filepath.Join("testdata/extra", file))
			if err != nil {
				t.Fatal(err)
			}
			if worst, mean := distance(t, got, goldenRGB(t, golden, name)); worst != 0 {
				t.Errorf("differs by up to %d of 255, mean %.3f", worst, mean)
			}
		})
	}
	if cases != 22 {
		t.Errorf("%d cases, expected 22", cases)
	}
}

// TestResizeReference: from the stored pixels to resized, cropped and normalised ones, to the last bit.
func TestResizeReference(t *testing.T) {
	golden := goldenFile(t, "preprocess/golden.safetensors")
	sources := 0
	for _, name := range golden.Names() {
		source, ok := strings.CutSuffix(name, ".rgb8")
		if !ok || strings.HasSuffix(source, ".36.32") {
			continue
		}
		sources++
		src := goldenRGB(t, golden, name)
		for _, f := range []Interpolation{Bicubic, Bilinear} {
			t.Run(source+"/"+string(f), func(t *testing.T) {
				target := source + "." + string(f) + ".36.32"
				short, err := src.ResizeShort(36, f)
				if err != nil {
					t.Fatal(err)
				}
				crop, err := short.CenterCrop(32)
				if err != nil {
					t.Fatal(err)
				}
				want := goldenRGB(t, golden, target+".rgb8")
				if worst, _ := distance(t, crop, want); worst != 0 {
					t.Errorf("resize and crop differ by up to %d, expected none", worst)
				}
				checkPipeline(t, golden, src, f, want, target+".norm")
			})
		}
	}
	if sources != 13 {
		t.Errorf("%d sources, expected 13", sources)
	}
}

// checkPipeline compares Apply with the stored tensor, where there is one, and with the composition of its steps.
func checkPipeline(t *testing.T, golden *checkpoint.File, src *RGB, f Interpolation, crop *RGB, norm string) {
	t.Helper()
	p := referenceFit
	p.Interpolation = f
	got, err := p.Apply(src)
	if err != nil {
		t.Fatal(err)
	}
	want, err := crop.Normalize(imagenetMean, imagenetStd)
	if err != nil {
		t.Fatal(err)
	}
	if golden.Has(norm) {
		if want, err = golden.Float32(norm); err != nil {
			t.Fatal(err)
		}
	}
	if !got.Shape.Equal(want.Shape) {
		t.Fatalf("shape %v, want %v", got.Shape, want.Shape)
	}
	for i, v := range got.Data {
		if v != want.Data[i] {
			t.Fatalf("element %d is %g, want %g", i, v, want.Data[i])
		}
	}
}

// TestPNGEndToEnd: a PNG file gives the reference's tensor to the last bit.
func TestPNGEndToEnd(t *testing.T) {
	golden := goldenFile(t, "preprocess/golden.safetensors")
	for _, name := range []string{"rgb.png", "gray.png", "gray16.png", "rgb16.png", "rgba.png", "palette.png"} {
		for _, f := range []Interpolation{Bicubic, Bilinear} {
			file, err := os.ReadFile(filepath.Join("testdata/preprocess", name))
			if err != nil {
				t.Fatal(err)
			}
			src, err := Decode(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			target := name + "." + string(f) + ".36.32"
			checkPipeline(t, golden, src, f, goldenRGB(t, golden, target+".rgb8"), target+".norm")
		}
	}
}

// TestNegativeControl: the comparison must notice each nearest wrong formula.
func TestNegativeControl(t *testing.T) {
	golden := goldenFile(t, "preprocess/golden.safetensors")
	src := goldenRGB(t, golden, "rgb.png.rgb8")
	want := goldenRGB(t, golden, "rgb.png.bicubic.36.32.rgb8")
	crop := func(f Interpolation, at int) *RGB {
		m, err := src.ResizeShort(36, f)
		if err != nil {
			t.Fatal(err)
		}
		return m.region(cropStart(m.Width, 32)+at, cropStart(m.Height, 32), 32, 32)
	}
	for name, wrong := range map[string]*RGB{"other filter": crop(Bilinear, 0), "crop one pixel off": crop(Bicubic, 1)} {
		if worst, _ := distance(t, wrong, want); worst == 0 {
			t.Errorf("%s: no difference seen", name)
		}
	}
	stored := goldenRGB(t, golden, "exif.jpg.asstored.rgb8")
	if up := decodeFile(t, "preprocess/exif.jpg"); up.Width == stored.Width && up.Height == stored.Height {
		t.Errorf("exif.jpg: orientation changes nothing")
	}
}
