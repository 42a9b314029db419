package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"path/filepath"

	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// How many images a class gets, and how they are stored.
const (
	textileTrain   = 50
	textileTest    = 50
	textileSide    = 120 // pixels; 250 in the package
	textileQuality = 90
)

// makeTextile takes the first images of each class by file name: training images first, then test images.
func makeTextile(out, src string) error {
	if err := clear(out); err != nil {
		return err
	}
	root := filepath.Join(src, "conformal_clip_data", "data", "textile_images", "simulated")
	for _, class := range []string{"global", "local", "nominal"} {
		entries, err := os.ReadDir(filepath.Join(root, class)) // sorted by name
		if err != nil {
			return err
		}
		if len(entries) < textileTrain+textileTest {
			return fmt.Errorf("%s has %d images, expected at least %d", class, len(entries), textileTrain+textileTest)
		}
		for i, e := range entries[:textileTrain+textileTest] {
			picture, err := shrink(filepath.Join(root, class, e.Name()))
			if err != nil {
				return err
			}
			split := "train"
			if i >= textileTrain {
				split = "test"
			}
			if err := write(out, split, class, e.Name(), picture); err != nil {
				return err
			}
		}
	}
	return nil
}

// shrink resizes a picture file to a square JPEG.
func shrink(path string) ([]byte, error) {
	m, err := data.Decoder{}.DecodeFile(path)
	if err != nil {
		return nil, err
	}
	if m, err = m.ResizeTo(textileSide, textileSide, data.Bicubic); err != nil {
		return nil, err
	}
	img := image.NewRGBA(image.Rect(0, 0, m.Width, m.Height))
	for i := range m.Width * m.Height {
		copy(img.Pix[4*i:], m.Pix[3*i:3*i+3])
		img.Pix[4*i+3] = 0xff
	}
	var out bytes.Buffer
	err = jpeg.Encode(&out, img, &jpeg.Options{Quality: textileQuality})
	return out.Bytes(), err
}
