package data

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
)

// landscape is a picture with the spectrum of a photograph: octaves of smooth noise, each half as strong as the coarser
// one before, in luma more than in chroma.
func landscape(w, h int) *image.NRGBA {
	const seed = 7
	rng := rand.New(rand.NewPCG(seed, 0))
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	sum := make([][3]float32, w*h)
	for cell, strength := 256, 90.0; cell >= 2; cell, strength = cell/2, strength*0.6 {
		nx := w/cell + 2
		grid := make([][3]float32, nx*(h/cell+2))
		for i := range grid {
			light := (rng.Float64() - 0.5) * strength
			for c := range 3 {
				grid[i][c] = float32(light + (rng.Float64()-0.5)*strength*0.3)
			}
		}
		for y := range h {
			for x := range w {
				at := y/cell*nx + x/cell
				fx, fy := float32(x%cell)/float32(cell), float32(y%cell)/float32(cell)
				for c := range 3 {
					top := grid[at][c]*(1-fx) + grid[at+1][c]*fx
					bottom := grid[at+nx][c]*(1-fx) + grid[at+nx+1][c]*fx
					sum[y*w+x][c] += top*(1-fy) + bottom*fy
				}
			}
		}
	}
	for i, v := range sum {
		for c := range 3 {
			img.Pix[4*i+c] = uint8(min(max(math.Round(float64(120+v[c])), 0), 255))
		}
		img.Pix[4*i+3] = 0xff
	}
	return img
}

// photo is a JPEG file of landscape: 4:2:0, quality 90.
func photo(t testing.TB, w, h int) []byte {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, landscape(w, h), &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

var (
	smallPhoto = sync.OnceValue(func() []byte { return photo(nil, 640, 480) })
	largePhoto = sync.OnceValue(func() []byte { return photo(nil, 4000, 3000) })
	vitS       = Pipeline{Fit: Crop, Size: 224, Resize: 256, Interpolation: Bicubic, Mean: imagenetMean, Std: imagenetStd}
)

func BenchmarkStandardJPEG640x480(b *testing.B) {
	file := smallPhoto()
	for b.Loop() {
		if _, err := jpeg.Decode(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode640x480(b *testing.B) {
	file := smallPhoto()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Decode(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkApply640x480(b *testing.B) {
	m, err := Decode(bytes.NewReader(smallPhoto()))
	if err != nil {
		b.Fatal(err)
	}
	for _, fit := range []Fit{Squash, Crop} {
		for _, f := range []Interpolation{Bicubic, Bilinear} {
			b.Run(string(fit)+"/"+string(f), func(b *testing.B) {
				p := vitS
				p.Fit, p.Interpolation = fit, f
				for b.Loop() {
					if _, err := p.Apply(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
