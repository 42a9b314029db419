package data

import (
	"image"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// noise is a picture of w x h random pixels.
func noise(w, h int) *RGB {
	m, r := newRGB(w, h), rand.New(rand.NewPCG(uint64(w), uint64(h)))
	for i := range m.Pix {
		m.Pix[i] = uint8(r.Uint32())
	}
	return m
}

var plain = Pipeline{Fit: Squash, Size: 14, Interpolation: Bicubic, Std: [3]float32{1, 1, 1}}

// TestViewOfNothing: without augmentation a view is what the pipeline makes, and a picture is left as it is.
func TestViewOfNothing(t *testing.T) {
	m := noise(31, 22)
	before := slices.Clone(m.Pix)
	want, err := plain.Apply(m)
	if err != nil {
		t.Fatal(err)
	}
	got, err := plain.View(m, Augmentation{}, 5)
	if err != nil || !slices.Equal(got.Data, want.Data) {
		t.Errorf("another picture (%v)", err)
	}
	if _, err := plain.View(m, Augmentation{MinArea: 0.1, Flip: true, Jitter: 0.5}, 5); err != nil || !slices.Equal(m.Pix, before) {
		t.Errorf("the picture was changed (%v)", err)
	}
}

// TestFlip: half of the views are the mirror image, the others the picture.
func TestFlip(t *testing.T) {
	m := noise(14, 14)
	turned := noise(14, 14)
	turned.mirror()
	for y := range 14 {
		for x := range 14 {
			if !slices.Equal(turned.Pix[3*(14*y+x):][:3], m.Pix[3*(14*y+13-x):][:3]) {
				t.Fatalf("pixel %d, %d", x, y)
			}
		}
	}
	same, _ := plain.Apply(m)
	mirrored, _ := plain.Apply(turned)
	n := 0
	for seed := range uint64(200) {
		got, err := plain.View(m, Augmentation{Flip: true}, seed)
		switch {
		case err != nil:
			t.Fatal(err)
		case slices.Equal(got.Data, mirrored.Data):
			n++
		case !slices.Equal(got.Data, same.Data):
			t.Fatalf("seed %d: neither the picture nor its mirror image", seed)
		}
	}
	if n < 70 || n > 130 {
		t.Errorf("%d of 200 views are mirrored", n)
	}
}

// TestPart: a part lies in the whole, has its area and proportions, and wanders.
func TestPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole := image.Rect(0, 0, rapid.IntRange(1, 400).Draw(t, "w"), rapid.IntRange(1, 400).Draw(t, "h")).Add(image.Pt(3, 7))
		a := Augmentation{MinArea: rapid.Float64Range(0.01, 1).Draw(t, "area")}
		part := a.part(whole, chance{rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)})
		if part.Empty() || !part.In(whole) {
			t.Fatalf("%v of %v", part, whole)
		}
		// Rounding may take half a pixel off each side.
		w, h := float64(part.Dx())+0.5, float64(part.Dy())+0.5
		if w*h < a.MinArea*float64(whole.Dx()*whole.Dy()) {
			t.Fatalf("%v of %v has less than %g of its area", part, whole, a.MinArea)
		}
		x, y := w/float64(whole.Dx()), h/float64(whole.Dy())
		if part.Dx() > 20 && part.Dy() > 20 && (x/y > 4.0/3*1.06 || y/x > 4.0/3*1.06) {
			t.Fatalf("%v of %v has other proportions", part, whole)
		}
	})
	whole, corners := image.Rect(0, 0, 100, 100), map[image.Point]bool{}
	r := chance{rand.NewPCG(1, 2)}
	for range 50 {
		corners[Augmentation{MinArea: 0.2}.part(whole, r).Min] = true
	}
	if len(corners) < 30 {
		t.Errorf("%d places in 50 tries", len(corners))
	}
}

// TestJitter: factors of 1 change nothing, gray pictures keep to gray, and the mean follows brightness.
func TestJitter(t *testing.T) {
	m, want := noise(9, 9), noise(9, 9)
	m.jitter(0, chance{rand.NewPCG(1, 1)})
	if !slices.Equal(m.Pix, want.Pix) {
		t.Error("no jitter changes the picture")
	}
	different := 0
	for seed := range uint64(20) {
		g := newRGB(4, 4)
		for i := range g.Pix {
			g.Pix[i] = uint8(40 + i/3*8)
		}
		before := slices.Clone(g.Pix)
		g.jitter(0.4, chance{rand.NewPCG(seed, 1)})
		for i := 0; i < len(g.Pix); i += 3 {
			if g.Pix[i] != g.Pix[i+1] || g.Pix[i] != g.Pix[i+2] {
				t.Fatalf("seed %d: a gray pixel became %v", seed, g.Pix[i:i+3])
			}
		}
		if !slices.Equal(g.Pix, before) {
			different++
		}
	}
	if different < 18 {
		t.Errorf("%d of 20 pictures changed", different)
	}
}

// TestShown: with Crop a view is cut from what the pipeline shows.
func TestShown(t *testing.T) {
	p := plain
	p.Fit, p.Size, p.Resize = Crop, 14, 16
	if got := p.shown(newRGB(64, 32)); got != image.Rect(18, 2, 46, 30) {
		t.Errorf("%v", got)
	}
	p.Resize = 10 // padded: all of the short side
	if got := p.shown(newRGB(64, 32)); got != image.Rect(16, 0, 48, 32) {
		t.Errorf("%v", got)
	}
}

func TestAugmentationCheck(t *testing.T) {
	for _, a := range []Augmentation{{MinArea: -1}, {MinArea: 1.5}, {Jitter: -0.1}, {Jitter: 2}} {
		if _, err := plain.View(noise(8, 8), a, 1); err == nil {
			t.Errorf("%+v: no error", a)
		}
	}
}
