package quant

import (
	"errors"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// TestPackRoundTrip: unpacking gives the matrix again, at any size and in all schemes.
func TestPackRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom([]Scheme{F32, F16, Q8C}).Draw(t, "scheme")
		rows, cols := rapid.IntRange(1, 130).Draw(t, "rows"), rapid.IntRange(1, 70).Draw(t, "cols")
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32((i*7919+rapid.IntRange(0, 1<<16).Draw(t, "seed"))%2003) - 1001
		}
		m, err := Quantize(s, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := m.Pack()
		if err != nil {
			t.Fatal(err)
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
		want := map[Scheme]uint32{Q8C: MaxInt8, F16: 0x3c00, F32: 0x3f800000}[c.scheme] << c.shift
		p, _ := newPacking(c.scheme, rows, cols)
		for i, v := range packed[:p.scales()] {
			if expected := map[bool]uint32{true: want}[i == c.word]; v != expected {
				t.Errorf("%s [%d, %d]: word %d is %#x, expected %#x", c.scheme, c.row, c.col, i, v, expected)
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
