package data

import (
	"bytes"
	"image"
	"image/jpeg"
	"testing"
)

// photo is a 640x480 JPEG (4:2:0, quality 90) with the detail of a photograph.
func photo(b *testing.B) []byte {
	small := picture(160, 120)
	m, err := small.ResizeTo(640, 480, Bicubic)
	if err != nil {
		b.Fatal(err)
	}
	img := image.NewNRGBA(image.Rect(0, 0, 640, 480))
	for i := range 640 * 480 {
		copy(img.Pix[4*i:], m.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 0xff
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, img, &jpeg.Options{Quality: 90}); err != nil {
		b.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	file := photo(b)
	b.Run("jpeg=640x480", func(b *testing.B) {
		b.SetBytes(int64(len(file)))
		for b.Loop() {
			if _, err := Decode(bytes.NewReader(file)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	m, err := Decode(bytes.NewReader(photo(b)))
	if err != nil {
		b.Fatal(err)
	}
	for _, fit := range []Fit{Squash, Crop} {
		for _, f := range []Interpolation{Bicubic, Bilinear} {
			b.Run(string(fit)+"/"+string(f)+"/in=640x480/out=224", func(b *testing.B) {
				p := Pipeline{Fit: fit, Size: 224, Resize: 256, Interpolation: f, Mean: imagenetMean, Std: imagenetStd}
				for b.Loop() {
					if _, err := p.Apply(m); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
