package quant

import "math"

// ToF16 rounds f to the nearest IEEE half, ties to even, and returns its bits. Values from 65520 on become infinity;
// a NaN stays a NaN and keeps the upper bits of its payload.
func ToF16(f float32) uint16 {
	bits := math.Float32bits(f)
	sign := uint16(bits >> 16 & 0x8000)
	magnitude := bits &^ (1 << 31)
	switch {
	case magnitude > 0xff<<23: // NaN; the set bit keeps it one when the payload's upper bits are zero
		return sign | 0x7e00 | uint16(magnitude>>13&0x3ff)
	case magnitude >= (127+16)<<23: // 65536 and above
		return sign | 0x7c00
	case magnitude < (127-14)<<23: // below the smallest normal half: a multiple of 2^-24
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(magnitude))*0x1p24))
	}
	// Move the exponent's bias from 127 to 15 and round the 13 bits that go. A carry into the exponent is right, also
	// from the largest half to infinity.
	half := magnitude - (127-15)<<23
	half += 0xfff + half>>13&1
	return sign | uint16(half>>13)
}

// FromF16 returns the value of an IEEE half, which float32 holds exactly.
func FromF16(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero or subnormal: fraction x 2^-24
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 31: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}
