package data

import (
	"context"
	"fmt"
	"image"
	"math"
	"math/rand/v2"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Augmentation says how pictures are varied while training. The zero value leaves them alone.
type Augmentation struct {
	// MinArea, above 0, shows a random part instead of the whole: at least this share of its area, with sides from 3:4 to 4:3
	// of the whole's proportions.
	MinArea float64 `json:",omitempty"`
	// Flip mirrors every other picture, by chance, left to right.
	Flip bool `json:",omitempty"`
	// Jitter changes brightness, contrast and saturation, in random order, each by a factor from 1-Jitter to 1+Jitter.
	Jitter float64 `json:",omitempty"`
}

// Any reports whether pictures are varied at all.
func (a Augmentation) Any() bool { return a != Augmentation{} }

// Check reports what keeps a from being used.
func (a Augmentation) Check() error {
	if !(a.MinArea >= 0 && a.MinArea <= 1) {
		return fmt.Errorf("crop to a share of %g of the area, expected 0 to 1", a.MinArea)
	}
	if !(a.Jitter >= 0 && a.Jitter <= 1) {
		return fmt.Errorf("jitter %g, expected 0 to 1", a.Jitter)
	}
	return nil
}

// View makes the tensor [3, Size, Size] of a random variant of m, which is left as it is. The variant depends on m, a, p and
// seed only.
func (p Pipeline) View(m *RGB, a Augmentation, seed uint64) (tensor.Tensor, error) {
	if err := p.Check(); err != nil {
		return tensor.Tensor{}, errors.Wrap(err, "preprocessing")
	}
	if err := a.Check(); err != nil {
		return tensor.Tensor{}, errors.Wrap(err, "augmentation")
	}
	if err := m.check(); err != nil {
		return tensor.Tensor{}, err
	}
	r := chance{rand.NewPCG(seed, mix(seed))}
	part, err := m.Crop(a.part(p.shown(m), r))
	if err != nil {
		return tensor.Tensor{}, err
	}
	square, err := part.ResizeTo(p.Size, p.Size, p.Interpolation)
	if err != nil {
		return tensor.Tensor{}, err
	}
	if a.Flip && r.below(1) < 0.5 {
		square.mirror()
	}
	if a.Jitter > 0 {
		square.jitter(a.Jitter, r)
	}
	return square.Normalize(p.Mean, p.Std)
}

// viewDecoder is Decoder for views, of which a part may be all that fills the square.
func (p Pipeline) viewDecoder(a Augmentation) Decoder {
	d := p.Decoder()
	if a.MinArea > 0 {
		d.MinSide = int(float64(d.MinSide) / math.Sqrt(a.MinArea))
	}
	return d
}

// shown is the part of m that p makes its square of.
func (p Pipeline) shown(m *RGB) image.Rectangle {
	if p.Fit == Squash {
		return image.Rect(0, 0, m.Width, m.Height)
	}
	short := min(m.Width, m.Height)
	side := max(1, min(short, int(math.Round(float64(short)*float64(p.Size)/float64(p.Resize)))))
	return image.Rect(0, 0, side, side).Add(image.Pt((m.Width-side)/2, (m.Height-side)/2))
}

// part is what is shown of whole.
func (a Augmentation) part(whole image.Rectangle, r chance) image.Rectangle {
	if a.MinArea == 0 {
		return whole
	}
	const tries = 10
	for range tries {
		area := a.MinArea + r.below(1-a.MinArea)
		ratio := math.Exp(r.below(2*math.Log(4.0/3)) - math.Log(4.0/3))
		w := int(math.Round(float64(whole.Dx()) * math.Sqrt(area*ratio)))
		h := int(math.Round(float64(whole.Dy()) * math.Sqrt(area/ratio)))
		if w < 1 || h < 1 || w > whole.Dx() || h > whole.Dy() {
			continue
		}
		at := image.Pt(int(r.below(float64(whole.Dx()-w+1))), int(r.below(float64(whole.Dy()-h+1))))
		return image.Rect(0, 0, w, h).Add(whole.Min).Add(at)
	}
	return whole
}

// chance draws numbers that are the same on every machine and with every release.
type chance struct{ *rand.PCG }

// below is uniform from 0 to n, without n itself.
func (c chance) below(n float64) float64 { return n * float64(c.Uint64()>>11) / (1 << 53) }

// mirror turns m left to right.
func (m *RGB) mirror() {
	for y := range m.Height {
		row := m.Pix[3*y*m.Width:][:3*m.Width]
		for i, j := 0, len(row)-3; i < j; i, j = i+3, j-3 {
			for c := range 3 {
				row[i+c], row[j+c] = row[j+c], row[i+c]
			}
		}
	}
}

// jitter changes m's colours: each change blends every pixel with black, with m's mean gray or with its own gray.
func (m *RGB) jitter(most float64, r chance) {
	order := permutation(3, r.Uint64(), 0)
	for _, k := range order {
		f := 1 - most + r.below(2*most)
		var mean float64
		if k == 1 {
			for i := 0; i < len(m.Pix); i += 3 {
				mean += gray(m.Pix[i:])
			}
			mean = math.Round(mean / float64(len(m.Pix)/3))
		}
		for i := 0; i < len(m.Pix); i += 3 {
			base := mean
			if k == 2 {
				base = gray(m.Pix[i:])
			}
			for c := range 3 {
				v := float64(f*float64(m.Pix[i+c])) + float64((1-f)*base) // rounded each, so that no machine fuses them
				m.Pix[i+c] = uint8(math.Round(min(max(v, 0), 255)))
			}
		}
	}
}

// gray is the luma of a pixel (Rec. 601).
func gray(p []uint8) float64 {
	return float64(299*int(p[0])+587*int(p[1])+114*int(p[2])) / 1000
}

// LoadViews is Load with a random variant of each image; seed says which that of item i is.
func LoadViews(ctx context.Context, items []Item, p Pipeline, a Augmentation, workers int, seed func(i int) uint64, f func(i int, t tensor.Tensor) error) ([]Skipped, error) {
	return load(ctx, items, p, workers, p.viewDecoder(a), func(i int, m *RGB) (tensor.Tensor, error) { return p.View(m, a, seed(i)) }, f)
}
