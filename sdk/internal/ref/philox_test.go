package ref

import (
	"math"
	"testing"
)

// TestPhiloxKnownAnswers holds the generator to the vectors that its authors publish with Random123 (kat_vectors).
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [2]uint32
		key     uint32
		want    [2]uint32
	}{
		{[2]uint32{0, 0}, 0, [2]uint32{0xff1dae59, 0x6cd10df2}},
		{[2]uint32{0xffffffff, 0xffffffff}, 0xffffffff, [2]uint32{0x2c3f628b, 0xab4fd7ad}},
		{[2]uint32{0x243f6a88, 0x85a308d3}, 0x13198a2e, [2]uint32{0xdd7ce038, 0xf62a4c12}},
	} {
		if got := Philox2x32(c.counter, c.key); got != c.want {
			t.Errorf("%08x, key %08x: got %08x, expected %08x", c.counter, c.key, got, c.want)
		}
	}
}

// TestDropoutRate: the share of zeroes is P within five standard deviations, and another key, stream or element
// decides anew.
func TestDropoutRate(t *testing.T) {
	const n = 100000
	for _, p := range []float32{0.1, 0.5, 0.9} {
		d := Dropout{P: p, Key: 7, Stream: 3}
		kept, differ := 0, 0
		for e := range uint32(n) {
			if d.Keeps(e) {
				kept++
			}
			if d.Keeps(e) != (Dropout{P: p, Key: 8, Stream: 3}).Keeps(e) {
				differ++
			}
		}
		sigma := math.Sqrt(n * float64(p) * (1 - float64(p)))
		if math.Abs(float64(kept)-n*(1-float64(p))) > 5*sigma {
			t.Errorf("p %v: kept %d of %d", p, kept, n)
		}
		if want := 2 * n * float64(p) * (1 - float64(p)); math.Abs(float64(differ)-want) > 5*sigma {
			t.Errorf("p %v: %d elements differ between two keys, expected about %.0f", p, differ, want)
		}
	}
}
