package main

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
)

// How many images a class gets.
const (
	clothesTrain = 60
	clothesTest  = 50
)

// clothesClasses are the classes by label, in the words of the data's authors.
var clothesClasses = []string{"t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"}

// makeClothes takes the first images of each class from the training file, and others from the test file.
func makeClothes(out, src string) error {
	if err := clear(out); err != nil {
		return err
	}
	root := filepath.Join(src, "usr", "share", "datasets", "fashion-mnist")
	if err := pick(out, "train", filepath.Join(root, "train"), clothesTrain); err != nil {
		return err
	}
	return pick(out, "test", filepath.Join(root, "t10k"), clothesTest)
}

// pick stores the first n images of each class as gray PNGs, named by their place in the file.
func pick(out, split, prefix string, n int) error {
	images, err := readIDX(prefix+"-images-idx3-ubyte.gz", 3)
	if err != nil {
		return err
	}
	labels, err := readIDX(prefix+"-labels-idx1-ubyte.gz", 1)
	if err != nil {
		return err
	}
	if images.shape[0] != labels.shape[0] {
		return fmt.Errorf("%s: %d images and %d labels", prefix, images.shape[0], labels.shape[0])
	}
	h, w := images.shape[1], images.shape[2]
	taken := make([]int, len(clothesClasses))
	for i, label := range labels.data {
		if int(label) >= len(taken) {
			return fmt.Errorf("%s: label %d of image %d, expected 0 to %d", prefix, label, i, len(taken)-1)
		}
		if taken[label] == n {
			continue
		}
		taken[label]++
		var file bytes.Buffer
		encoder := png.Encoder{CompressionLevel: png.BestCompression}
		img := &image.Gray{Pix: images.data[i*h*w : (i+1)*h*w], Stride: w, Rect: image.Rect(0, 0, w, h)}
		if err := encoder.Encode(&file, img); err != nil {
			return err
		}
		if err := write(out, split, clothesClasses[label], fmt.Sprintf("%05d.png", i), file.Bytes()); err != nil {
			return err
		}
	}
	for label, got := range taken {
		if got < n {
			return fmt.Errorf("%s: %d images of %s, expected %d", prefix, got, clothesClasses[label], n)
		}
	}
	return nil
}

// idx is an array of bytes in the format of the MNIST files.
type idx struct {
	shape []int
	data  []byte
}

// readIDX reads a gzipped IDX file.
func readIDX(path string, axes int) (*idx, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	b, err := io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	x, err := parseIDX(b, axes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return x, nil
}

// parseIDX reads unsigned bytes with the given number of axes: two zero bytes, the type 8, the number of axes, each extent
// as a big-endian uint32, then the elements in row-major order.
func parseIDX(b []byte, axes int) (*idx, error) {
	head := 4 + 4*axes
	if len(b) < head || [4]byte(b) != [4]byte{0, 0, 8, byte(axes)} {
		return nil, fmt.Errorf("no IDX file of bytes with %d axes", axes)
	}
	x, size := &idx{data: b[head:]}, 1
	for i := range axes {
		n := int(binary.BigEndian.Uint32(b[4+4*i:]))
		if n == 0 || n > len(x.data)/size {
			return nil, fmt.Errorf("extent %d is %d in %d bytes", i, n, len(x.data))
		}
		x.shape, size = append(x.shape, n), size*n
	}
	if size != len(x.data) {
		return nil, fmt.Errorf("%d bytes, expected %v", len(x.data), x.shape)
	}
	return x, nil
}
