package data

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// picture is the formula of testdata/make_extra.py.
func picture(w, h int) *RGB {
	m := newRGB(w, h)
	for y := range h {
		for x := range w {
			p := m.Pix[3*(y*w+x):]
			p[0], p[1], p[2] = uint8(x*7+y*3), uint8(x*x/5+y*11), uint8(x*y+40*(x/5%2))
		}
	}
	return m
}

// TestResizeExtra: odd sizes, one pixel, growing and shrinking, one axis only.
func TestResizeExtra(t *testing.T) {
	golden := goldenFile(t, "extra.safetensors")
	cases := 0
	for _, name := range golden.Names() {
		var sw, sh, w, h int
		if n, _ := fmt.Sscanf(name, "resize.%dx%d.%dx%d.", &sw, &sh, &w, &h); n != 4 {
			continue
		}
		cases++
		f := Interpolation(name[strings.LastIndex(name, ".")+1:])
		got, err := picture(sw, sh).ResizeTo(w, h, f)
		if err != nil {
			t.Fatal(err)
		}
		if worst, _ := distance(t, got, goldenRGB(t, golden, name)); worst != 0 {
			t.Errorf("%s differs by up to %d", name, worst)
		}
	}
	if cases != 14 {
		t.Errorf("%d cases, expected 14", cases)
	}
}

// resizeFloat is the filter's definition in float64, without rounding between the passes: each output pixel is the
// mean of the source under a kernel as wide as the pixel.
func resizeFloat(m *RGB, w, h int, f Interpolation) []float64 {
	k, _ := f.kernel()
	axis := func(in, out, i int) []float64 {
		weights, sum := make([]float64, in), 0.0
		scale := float64(in) / float64(out)
		for x := range weights {
			d := (float64(x) + 0.5 - (float64(i)+0.5)*scale) / max(scale, 1)
			weights[x] = k.at(math.Abs(d))
			sum += weights[x]
		}
		for x := range weights {
			weights[x] /= sum
		}
		return weights
	}
	out := make([]float64, 3*w*h)
	for y := range h {
		wy := axis(m.Height, h, y)
		for x := range w {
			wx := axis(m.Width, w, x)
			for sy, a := range wy {
				for sx, b := range wx {
					for c := range 3 {
						out[3*(y*w+x)+c] += a * b * float64(m.Pix[3*(sy*m.Width+sx)+c])
					}
				}
			}
		}
	}
	return out
}

func TestResizeAgainstFloat(t *testing.T) {
	const seed = 3
	rng := rand.New(rand.NewPCG(seed, 0))
	for _, s := range [][4]int{{1, 2, 7, 1}, {7, 37, 37, 7}, {63, 5, 64, 64}, {37, 64, 7, 65}, {65, 7, 2, 2}} {
		m := newRGB(s[0], s[1])
		for i := range m.Pix {
			m.Pix[i] = uint8(64 + rng.IntN(128)) // away from the clamp, which would hide overshoot
		}
		for _, f := range []Interpolation{Bicubic, Bilinear} {
			got, err := m.ResizeTo(s[2], s[3], f)
			if err != nil {
				t.Fatal(err)
			}
			worst := 0.0
			for i, want := range resizeFloat(m, s[2], s[3], f) {
				worst = max(worst, math.Abs(float64(got.Pix[i])-min(max(want, 0), 255)))
			}
			// Half a step from the last rounding and at most 1.25 half steps from the rounding between the passes.
			if worst > 1.15 {
				t.Errorf("%v %s: differs by %.3f of 255 from float64", s, f, worst)
			}
		}
	}
}

// TestWindow: computing only a crop gives the pixels that the whole picture has there.
func TestWindow(t *testing.T) {
	m := picture(67, 41)
	for _, o := range []window{
		{width: 33, height: 20, x: 5, y: 3, w: 11, h: 7},
		{width: 100, height: 41, x: 99, y: 40, w: 1, h: 1},
		{width: 67, height: 9, x: -3, y: -2, w: 80, h: 13},
		{width: 67, height: 41, x: 1, y: -1, w: 66, h: 43},
	} {
		got, err := m.resize(o, Bicubic)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := m.ResizeTo(o.width, o.height, Bicubic)
		if err != nil {
			t.Fatal(err)
		}
		if worst, _ := distance(t, got, whole.region(o.x, o.y, o.w, o.h)); worst != 0 {
			t.Errorf("%+v differs by up to %d", o, worst)
		}
	}
}

func TestGeometry(t *testing.T) {
	for _, c := range []struct{ w, h, n, wantW, wantH int }{
		{640, 480, 224, 298, 224}, {480, 640, 224, 224, 298}, {37, 53, 36, 36, 51}, {5, 5, 7, 7, 7}, {1, 300, 2, 2, 600},
	} {
		if w, h := shortTo(c.w, c.h, c.n); w != c.wantW || h != c.wantH {
			t.Errorf("%dx%d to %d: %dx%d, want %dx%d", c.w, c.h, c.n, w, h, c.wantW, c.wantH)
		}
	}
	// int(round((side - n) / 2)) of Python, whose round goes to even; padding goes left of what is smaller.
	for _, c := range []struct{ side, n, want int }{
		{36, 32, 2}, {33, 32, 0}, {35, 32, 2}, {37, 32, 2}, {39, 32, 4}, {32, 32, 0}, {31, 32, 0}, {29, 32, -1}, {1, 4, -1},
	} {
		if got := cropStart(c.side, c.n); got != c.want {
			t.Errorf("crop of %d from %d starts at %d, want %d", c.n, c.side, got, c.want)
		}
	}
}

func TestCenterCropPads(t *testing.T) {
	got, err := picture(2, 5).CenterCrop(4)
	if err != nil {
		t.Fatal(err)
	}
	src := picture(2, 5)
	for y := range 4 {
		for x := range 4 {
			for c := range 3 {
				var want uint8
				if x == 1 || x == 2 {
					want = src.Pix[3*(y*2+x-1)+c] // one row of five is left over, and half of it rounds to 0
				}
				if v := got.Pix[3*(y*4+x)+c]; v != want {
					t.Fatalf("pixel (%d, %d) channel %d is %d, want %d", x, y, c, v, want)
				}
			}
		}
	}
}

func TestRefusesImpossibleSizes(t *testing.T) {
	m := picture(3, 3)
	calls := map[string]func() error{
		"zero":     func() error { _, err := m.ResizeTo(0, 3, Bicubic); return err },
		"negative": func() error { _, err := m.ResizeShort(-1, Bicubic); return err },
		"huge":     func() error { _, err := m.ResizeTo(60000, 60000, Bicubic); return err },
		"filter":   func() error { _, err := m.ResizeTo(3, 3, "lanczos"); return err },
		"crop":     func() error { _, err := m.CenterCrop(0); return err },
		"short pixels": func() error {
			_, err := (&RGB{Width: 3, Height: 3, Pix: m.Pix[:26]}).ResizeShort(2, Bicubic)
			return err
		},
		"empty":         func() error { _, err := (&RGB{}).CenterCrop(2); return err },
		"nil":           func() error { var none *RGB; _, err := none.Normalize(imagenetMean, imagenetStd); return err },
		"nil, pipeline": func() error { _, err := smallPipeline.Apply(nil); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, ErrImage) {
			t.Errorf("%s: got %v, want ErrImage", name, err)
		}
	}
	nan := float32(math.NaN())
	for name, p := range map[string]Pipeline{
		"zero": {}, "fit": {Fit: "stretch", Size: 4, Interpolation: Bicubic, Std: imagenetStd},
		"resize": {Fit: Crop, Size: 4, Interpolation: Bicubic, Std: imagenetStd}, "std": {Fit: Squash, Size: 4, Interpolation: Bicubic},
		"mean": {Fit: Squash, Size: 4, Interpolation: Bicubic, Mean: [3]float32{nan}, Std: imagenetStd},
	} {
		if _, err := p.Apply(m); err == nil {
			t.Errorf("pipeline %s: accepted", name)
		}
	}
}

func TestCrop(t *testing.T) {
	m := &RGB{Width: 3, Height: 2, Pix: []uint8{0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52}}
	got, err := m.Crop(image.Rect(1, 0, 3, 2))
	if want := []uint8{10, 11, 12, 20, 21, 22, 40, 41, 42, 50, 51, 52}; err != nil || got.Width != 2 || got.Height != 2 || !slices.Equal(got.Pix, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []image.Rectangle{{}, image.Rect(0, 0, 4, 2), image.Rect(-1, 0, 2, 2), image.Rect(2, 2, 3, 3)} {
		if _, err := m.Crop(bad); !errors.Is(err, ErrImage) {
			t.Errorf("part %v: %v", bad, err)
		}
	}
}

// halver is a Step that keeps the left half.
type halver struct{ err error }

func (h halver) Apply(m *RGB) (*RGB, error) {
	if h.err != nil {
		return nil, h.err
	}
	return m.Crop(image.Rect(0, 0, m.Width/2, m.Height))
}

// TestPipelineStep: a step comes before everything else, and its error ends the pipeline.
func TestPipelineStep(t *testing.T) {
	m := &RGB{Width: 4, Height: 2, Pix: make([]uint8, 24)}
	for i := range m.Pix {
		m.Pix[i] = uint8(10 * i)
	}
	p := Pipeline{Fit: Squash, Size: 2, Interpolation: Bilinear, Std: [3]float32{1, 1, 1}}
	half, err := halver{}.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	want, err := p.Apply(half)
	if err != nil {
		t.Fatal(err)
	}
	p.Before = halver{}
	if got, err := p.Apply(m); err != nil || !slices.Equal(got.Data, want.Data) {
		t.Errorf("%v, %v; expected %v", got.Data, err, want.Data)
	}
	p.Before = halver{errors.New("no")}
	if _, err := p.Apply(m); err == nil || err.Error() != "no" {
		t.Errorf("error of the step: %v", err)
	}
}
