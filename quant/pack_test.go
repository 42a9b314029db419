package quant

import (
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestPackRoundTrip: unpacking gives the matrix again, at any size and in all schemes.
func TestPackRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(Schemes).Draw(t, "scheme")
		rows, cols := rapid.IntRange(1, 130).Draw(t, "rows"), rapid.IntRange(1, 140).Draw(t, "cols")
		w, seed := make([]float32, rows*cols), rapid.IntRange(0, 1<<16).Draw(t, "seed")
		for i := range w {
			w[i] = float32((i*7919+seed)%2003) - 1001
		}
		m, err := Quantize(s, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if n, err := PackedLen(s, rows, cols); err != nil || n != len(packed) {
			t.Fatalf("length %d, %v, expected %d", n, err, len(packed))
		}
		got, err := Unpack(s, rows, cols, packed)
		if err != nil {
			t.Fatal(err)
		}
		if m.Scale == nil {
			for _, v := range got.Scale {
				if v != 1 {
					t.Fatalf("scale %v of an unscaled matrix", v)
				}
			}
			got.Scale = nil
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("[%d, %d] %s differs after a round trip", rows, cols, s)
		}
	})
}

// TestSlice: rows of a matrix are those of the whole.
func TestSlice(t *testing.T) {
	const rows, cols, from, to = 131, 37, 64, 129
	for _, s := range Schemes {
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(i*7919%2003) - 1001
		}
		m, err := Quantize(s, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		part := m.Slice(from, to)
		if err := part.Check(); err != nil || part.Rows != to-from {
			t.Fatalf("%s: %d rows, %v", s, part.Rows, err)
		}
		got, all := make([]float32, (to-from)*cols), make([]float32, rows*cols)
		part.Dequantize(got)
		m.Dequantize(all)
		if !reflect.DeepEqual(got, all[from*cols:to*cols]) {
			t.Errorf("%s: rows differ", s)
		}
	}
}

// TestPackLayout pins single elements to the words that the kernels read them from.
func TestPackLayout(t *testing.T) {
	const rows, cols = 70, 33
	for _, c := range []struct {
		scheme   Scheme
		row, col int
		word     int // uint32 index
		shift    uint
	}{
		{Q8C, 0, 0, 0, 0},
		{Q8C, 0, 5, 1, 8},               // fifth byte
		{Q8C, 4, 0, 1 * 4, 0},           // row 4: slot 1
		{Q8C, 1, 0, 16 * 4, 0},          // row 1: slot 16
		{Q8C, 63, 16, (64 + 63) * 4, 0}, // row 63: slot 15 + 48, second group
		{Q8C, 65, 32, (3*64 + 2*64 + 16) * 4, 0},
		{Q4G, 0, 0, 0, 0},
		{Q4G, 0, 5, 0, 8 + 4},                    // column 4 + 1: second byte, high half
		{Q4G, 69, 27, (2*64+16+1)*4 + 3, 24},     // row 5 of panel 1: slot 1 + 16; column 24 + 3
		{Q4G32, 65, 32, (2*64 + 64 + 16) * 4, 0}, // the second word
		{F16, 2, 9, (64 + 32) * 4, 16},
		{F32, 3, 6, (64+48)*4 + 2, 0},
	} {
		w := make([]float32, rows*cols)
		w[c.row*cols+c.col] = 1
		m, err := Quantize(c.scheme, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		want := map[Scheme]uint32{Q8C: MaxInt8, Q4G: MaxInt4, Q4G32: MaxInt4, F16: 0x3c00, F32: 0x3f800000}[c.scheme] << c.shift
		p, _ := newPacking(c.scheme, rows, cols)
		for i, v := range packed[:p.groupScales()] {
			if expected := map[bool]uint32{true: want}[i == c.word]; v != expected {
				t.Errorf("%s [%d, %d]: word %d is %#x, expected %#x", c.scheme, c.row, c.col, i, v, expected)
			}
		}
	}
}

// TestPackGroupScales pins the places of group scales and row scales.
func TestPackGroupScales(t *testing.T) {
	const rows, cols = 70, 96 // two panels, three words, two groups of 64
	m := newInt4(Q4G, rows, cols)
	for i := range m.GroupScale {
		m.GroupScale[i] = uint16(i + 1)
	}
	m.Scale = make([]float32, rows)
	m.Scale[69] = 3
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	const scales = 2 * 3 * 64 * 4
	for _, c := range []struct{ row, group, uint, shift int }{{0, 0, 0, 0}, {5, 0, 2, 16}, {63, 1, 63, 16}, {66, 1, 64 + 32 + 1, 0}} {
		if got, want := uint16(packed[scales+c.uint]>>c.shift), uint16(c.row*2+c.group+1); got != want {
			t.Errorf("%+v: scale %d, expected %d", c, got, want)
		}
	}
	if len(packed) != scales+2*2*32+128 || math.Float32frombits(packed[scales+2*2*32+69]) != 3 {
		t.Errorf("%d words, row scale %#x", len(packed), packed[scales+2*2*32+69])
	}
}

// TestPackInt4Bytes: two masks make bytes of 16 times the weights in the order of the columns.
func TestPackInt4Bytes(t *testing.T) {
	m := newInt4(Q4G, 1, 32)
	q := make([]int8, 32)
	for i := range q {
		q[i] = int8(i%16) + MinInt4
	}
	m.setInt4Row(0, q)
	packed, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range packed[:4] {
		low, high := w<<4&0xf0f0f0f0, w&0xf0f0f0f0
		for j := range 4 {
			if a, b := int8(low>>(8*j)), int8(high>>(8*j)); int(a) != 16*int(q[8*i+j]) || int(b) != 16*int(q[8*i+4+j]) {
				t.Errorf("word %d byte %d: %d and %d, expected 16 times %d and %d", i, j, a, b, q[8*i+j], q[8*i+4+j])
			}
		}
	}
}

func TestPackRefuses(t *testing.T) {
	if _, err := (Matrix{Scheme: "q5", Rows: 1, Cols: 1}).Pack(); !errors.Is(err, ErrScheme) {
		t.Errorf("unknown scheme: %v", err)
	}
	for _, m := range []Matrix{
		{Scheme: F32, Rows: 1, Cols: 2, Float: []float32{1}},
		{Scheme: F32, Rows: 1, Cols: 1, Float: []float32{1}, Scale: []float32{1, 2}},
		{Scheme: Q8C},
		{Scheme: F16, Rows: 1 << 20, Cols: 1 << 20},
	} {
		if _, err := m.Pack(); err == nil {
			t.Errorf("packed %+v", m)
		}
	}
	if _, err := Unpack(F32, 1, 1, make([]uint32, 7)); err == nil {
		t.Error("unpacked 7 words")
	}
}
