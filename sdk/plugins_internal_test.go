package sdk

import (
	"image"
	"testing"

	"pgregory.net/rapid"
)

func TestWithin(t *testing.T) {
	for _, c := range []struct{ w, h, most, wantW, wantH int }{
		{64, 64, 64, 64, 64}, {3, 5, 64, 3, 5}, {128, 64, 64, 64, 32}, {200, 3, 64, 64, 1}, {1000, 1, 64, 64, 1}, {1, 4000, 448, 1, 448},
		{4032, 3024, 448, 448, 336}, {3024, 4033, 448, 336, 448},
	} {
		if w, h := within(c.w, c.h, c.most); w != c.wantW || h != c.wantH {
			t.Errorf("%dx%d within %d: %dx%d, expected %dx%d", c.w, c.h, c.most, w, h, c.wantW, c.wantH)
		}
	}
}

// TestEnlarge: the whole stays the whole, every part stays within the picture, and shrinking it again gives no less.
func TestEnlarge(t *testing.T) {
	if got := enlarge(image.Rect(1, 0, 3, 2), 4, 3, 10, 7); got != image.Rect(2, 0, 8, 5) {
		t.Errorf("%v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		width, height := rapid.IntRange(1, 5000).Draw(t, "width"), rapid.IntRange(1, 5000).Draw(t, "height")
		w, h := within(width, height, rapid.IntRange(2, 500).Draw(t, "most"))
		x, y := rapid.IntRange(0, w-1).Draw(t, "x"), rapid.IntRange(0, h-1).Draw(t, "y")
		r := image.Rect(x, y, rapid.IntRange(x+1, w).Draw(t, "x1"), rapid.IntRange(y+1, h).Draw(t, "y1"))
		whole := image.Rect(0, 0, width, height)
		got := enlarge(r, w, h, width, height)
		if got.Empty() || !got.In(whole) || enlarge(image.Rect(0, 0, w, h), w, h, width, height) != whole {
			t.Fatalf("%v of %dx%d became %v of %dx%d", r, w, h, got, width, height)
		}
		if back := enlarge(got, width, height, w, h); !r.In(back) {
			t.Fatalf("%v of %dx%d became %v of %dx%d and %v again", r, w, h, got, width, height, back)
		}
	})
}
