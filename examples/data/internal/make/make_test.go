package main

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/data"
)

// TestCommittedData: both sets have the classes and numbers of images that the README states, and every image is readable.
func TestCommittedData(t *testing.T) {
	textile, clothes := []string{"global", "local", "nominal"}, slices.Sorted(slices.Values(clothesClasses))
	for _, c := range []struct {
		set      string
		split    data.Split
		classes  []string
		perClass int
		side     int
	}{
		{"textile", data.Train, textile, textileTrain, textileSide},
		{"textile", data.Test, textile, textileTest, textileSide},
		{"clothes", data.Train, clothes, clothesTrain, 28},
		{"clothes", data.Test, clothes, clothesTest, 28},
	} {
		d, err := data.OpenFolder(filepath.Join("..", "..", c.set), c.split)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(d.Classes, c.classes) || len(d.Items) != len(c.classes)*c.perClass {
			t.Errorf("%s/%s: classes %v with %d images, want %v with %d each", c.set, c.split, d.Classes, len(d.Items), c.classes, c.perClass)
		}
		for _, item := range d.Items {
			m, err := data.Decoder{}.DecodeFile(item.Path)
			if err != nil {
				t.Fatal(err)
			}
			if m.Width != c.side || m.Height != c.side {
				t.Fatalf("%s has %dx%d pixels, want %d a side", item.Path, m.Width, m.Height, c.side)
			}
		}
	}
}

func TestParseIDX(t *testing.T) {
	x, err := parseIDX([]byte{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}, 2)
	if err != nil || !slices.Equal(x.shape, []int{2, 3}) || x.data[5] != 6 {
		t.Fatalf("%+v, %v", x, err)
	}
	for name, b := range map[string][]byte{
		"empty": nil, "floats": {0, 0, 13, 1, 0, 0, 0, 0}, "more axes": {0, 0, 8, 2, 0, 0, 0, 1}, "cut": {0, 0, 8, 1, 0, 0, 0, 3, 1},
		"longer": {0, 0, 8, 1, 0, 0, 0, 1, 1, 2}, "none": {0, 0, 8, 1, 0, 0, 0, 0},
	} {
		if _, err := parseIDX(b, 1); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseIDX(f *testing.F) {
	f.Add([]byte{0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 7, 8})
	f.Add([]byte{0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		if x, err := parseIDX(b, 3); err == nil && x.shape[0]*x.shape[1]*x.shape[2] != len(x.data) {
			t.Fatalf("shape %v of %d bytes", x.shape, len(x.data))
		}
	})
}
