package checkpoint

import (
	"encoding/binary"
	"math"
)

// DType names a tensor's element type as safetensors spells it.
type DType string

// The element types that this package can turn into float32 or writes.
const (
	Bool DType = "BOOL"
	U8   DType = "U8"
	I8   DType = "I8"
	U16  DType = "U16"
	I16  DType = "I16"
	F16  DType = "F16"
	BF16 DType = "BF16"
	U32  DType = "U32"
	I32  DType = "I32"
	F32  DType = "F32"
	U64  DType = "U64"
	I64  DType = "I64"
	F64  DType = "F64"
)

// codec is what there is to know of a dtype: the bytes of an element, and its value as float32 (nil: no such value).
type codec struct {
	size  int
	value func([]byte) float32
}

var le = binary.LittleEndian

var codecs = map[DType]codec{
	Bool:      {1, func(b []byte) float32 { return float32(b[0]) }},
	U8:        {1, func(b []byte) float32 { return float32(b[0]) }},
	I8:        {1, func(b []byte) float32 { return float32(int8(b[0])) }},
	"F8_E4M3": {1, nil},
	"F8_E5M2": {1, nil},
	U16:       {2, func(b []byte) float32 { return float32(le.Uint16(b)) }},
	I16:       {2, func(b []byte) float32 { return float32(int16(le.Uint16(b))) }},
	F16:       {2, func(b []byte) float32 { return halfValue(le.Uint16(b)) }},
	BF16:      {2, func(b []byte) float32 { return math.Float32frombits(uint32(le.Uint16(b)) << 16) }},
	U32:       {4, func(b []byte) float32 { return float32(le.Uint32(b)) }},
	I32:       {4, func(b []byte) float32 { return float32(int32(le.Uint32(b))) }},
	F32:       {4, func(b []byte) float32 { return math.Float32frombits(le.Uint32(b)) }},
	U64:       {8, func(b []byte) float32 { return float32(le.Uint64(b)) }},
	I64:       {8, func(b []byte) float32 { return float32(int64(le.Uint64(b))) }},
	F64:       {8, func(b []byte) float32 { return float32(math.Float64frombits(le.Uint64(b))) }},
}

// halfValue widens an IEEE half: 1 sign, 5 exponent (bias 15) and 10 fraction bits. Every half is a float32.
func halfValue(h uint16) float32 {
	sign := uint32(h&0x8000) << 16
	exponent, fraction := uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exponent {
	case 0: // zero or subnormal: fraction x 2^-24, exact in float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 31: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// Size is the bytes of an element, 0 for a type that this package does not know.
func (d DType) Size() int { return codecs[d].size }

// Widen converts little-endian elements to float32, the nearest where the type is wider; b holds whole elements. It
// returns false for a type without such values.
func (d DType) Widen(b []byte) ([]float32, bool) {
	c := codecs[d]
	if c.value == nil {
		return nil, false
	}
	v := make([]float32, len(b)/c.size)
	for k := range v {
		v[k] = c.value(b[k*c.size:])
	}
	return v, true
}
