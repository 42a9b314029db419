package ref

import (
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
)

// TestHalf: every finite normal half is itself, and every number between two of them goes to the nearer, as quant's conversion, which is
// of another make, says.
func TestHalf(t *testing.T) {
	for h := uint16(0x0400); h < 0x7bff; h++ { // the normal halves but the last
		at, next := quant.FromF16(h), quant.FromF16(h+1)
		middle := (at + next) / 2
		for _, x := range []float32{at, middle, math.Nextafter32(middle, at), math.Nextafter32(middle, next), next} {
			if want := quant.FromF16(quant.ToF16(x)); Half(x) != want || Half(-x) != -want || Half(float64(x)) != float64(want) {
				t.Fatalf("%v becomes %v and %v, expected %v", x, Half(x), Half(-x), want)
			}
		}
	}
}

// TestHalfEnds: what float16 has no number for, or numbers that devices differ in.
func TestHalfEnds(t *testing.T) {
	inf, below := math.Inf(1), math.Nextafter(SmallestHalf, 0)
	for x, want := range map[float64]float64{65504: 65504, 65505: 65504, 65519: 65504, 65520: 65504, 1e30: 65504, inf: 65504,
		SmallestHalf: SmallestHalf, below: 0, 0x1p-24: 0, 0: 0, 2049: 2048, 2051: 2052} {
		if got := Half(x); got != want {
			t.Errorf("%v becomes %v, expected %v", x, got, want)
		}
		if got := Half(-x); math.Float64bits(got) != math.Float64bits(math.Copysign(want, -1)) {
			t.Errorf("%v becomes %v, expected %v", -x, got, -want)
		}
	}
	if !math.IsNaN(Half(math.NaN())) {
		t.Error("NaN becomes a number")
	}
}
