package data

import (
	"bytes"
	"image"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
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
func photo(w, h int) []byte {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, landscape(w, h), &jpeg.Options{Quality: 90}); err != nil {
		panic(err)
	}
	return out.Bytes()
}

var (
	smallPhoto = sync.OnceValue(func() []byte { return photo(640, 480) })
	largePhoto = sync.OnceValue(func() []byte { return photo(4000, 3000) })
	vitS       = Pipeline{Fit: Crop, Size: 224, Resize: 256, Interpolation: Bicubic, Mean: imagenetMean, Std: imagenetStd}
)

// benchmarkInput times a file's whole way to a tensor, after checking that it ends near what the picture behind the file
// gives without JPEG's loss.
func benchmarkInput(b *testing.B, file []byte, p Pipeline, source *image.NRGBA) {
	want := applied(b, p, source)
	got := input(b, file, p)
	var sum float64
	for i, v := range got.Data {
		sum += math.Abs(float64(v - want.Data[i]))
	}
	if mean := sum / float64(len(got.Data)) * 0.226 * 255; mean > 2 { // 0.226: the mean std
		b.Fatalf("the tensor is %.2f of 255 away from the picture's", mean)
	}
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	reportCPU(b)
	for b.Loop() {
		input(b, file, p)
	}
}

func applied(b *testing.B, p Pipeline, source image.Image) tensor.Tensor {
	m, err := FromImage(source)
	if err != nil {
		b.Fatal(err)
	}
	t, err := p.Apply(m)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func input(b *testing.B, file []byte, p Pipeline) tensor.Tensor {
	m, err := p.Decoder().Decode(bytes.NewReader(file))
	if err != nil {
		b.Fatal(err)
	}
	t, err := p.Apply(m)
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// BenchmarkDecodeResize640x480 is the way of a usual picture to ViT-S: decode, resize, crop, normalise.
func BenchmarkDecodeResize640x480(b *testing.B) {
	benchmarkInput(b, smallPhoto(), vitS, landscape(640, 480))
}

// BenchmarkDecodeResize12MP: a camera's file, at the size that suffices and, for comparison, at its own.
func BenchmarkDecodeResize12MP(b *testing.B) {
	file, source := largePhoto(), landscape(4000, 3000)
	exact := vitS
	exact.Exact = true
	b.Run("reduced", func(b *testing.B) { benchmarkInput(b, file, vitS, source) })
	b.Run("exact", func(b *testing.B) { benchmarkInput(b, file, exact, source) })
}

// BenchmarkStandardJPEG640x480 is Go's decoder, which stops at the planes: a yardstick for the machine.
func BenchmarkStandardJPEG640x480(b *testing.B) {
	file := smallPhoto()
	reportCPU(b)
	for b.Loop() {
		if _, err := jpeg.Decode(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecode640x480(b *testing.B) {
	file := smallPhoto()
	b.SetBytes(int64(len(file)))
	reportCPU(b)
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
				b.ReportAllocs()
				reportCPU(b)
				for b.Loop() {
					if _, err := p.Apply(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
