package quant

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// halfFloat64 is a half's value by its definition.
func halfFloat64(h uint16) float64 {
	sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
	switch {
	case exponent == 0:
		return math.Copysign(math.Ldexp(fraction, -24), sign)
	case exponent == 31 && fraction == 0:
		return math.Inf(int(sign))
	case exponent == 31:
		return math.NaN()
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

func TestF16AllValues(t *testing.T) {
	for i := range 1 << 16 {
		h := uint16(i)
		want, got := halfFloat64(h), float64(FromF16(h))
		if math.IsNaN(want) {
			if back := FromF16(ToF16(FromF16(h))); !math.IsNaN(got) || back == back {
				t.Fatalf("%#04x: %v and %v, expected NaN", h, got, back)
			}
			continue
		}
		if got != want || math.Signbit(got) != math.Signbit(want) {
			t.Fatalf("%#04x: got %v, expected %v", h, got, want)
		}
		if back := ToF16(FromF16(h)); back != h {
			t.Fatalf("%#04x comes back as %#04x", h, back)
		}
	}
}

// TestF16Rounds checks the midpoint between each two neighbours, and the float32 just below and above it.
func TestF16Rounds(t *testing.T) {
	for i := range 0x7c00 {
		h := uint16(i)
		next := halfFloat64(h + 1)
		if h == 0x7bff {
			next = 65536 // where the next half would be
		}
		middle := float32((halfFloat64(h) + next) / 2) // 12 bits: exact
		even := h + h&1
		for _, c := range []struct {
			in   float32
			want uint16
		}{
			{middle, even},
			{math.Nextafter32(middle, 0), h},
			{math.Nextafter32(middle, 1e9), h + 1},
		} {
			if got := ToF16(c.in); got != c.want {
				t.Fatalf("%v: got %#04x, expected %#04x", c.in, got, c.want)
			}
			if got := ToF16(-c.in); got != c.want|0x8000 {
				t.Fatalf("%v: got %#04x, expected %#04x", -c.in, got, c.want|0x8000)
			}
		}
	}
}

// TestF16Nearest: no half is closer than the one chosen, whatever the float32.
func TestF16Nearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
		if math.IsNaN(float64(f)) || math.Abs(float64(f)) >= 65504 {
			return
		}
		h := ToF16(f)
		d := math.Abs(halfFloat64(h) - float64(f))
		for _, n := range []uint16{h - 1, h + 1} {
			if n&0x7fff <= 0x7c00 && math.Abs(halfFloat64(n)-float64(f)) < d {
				t.Fatalf("%v became %#04x, %#04x is closer", f, h, n)
			}
		}
	})
}
