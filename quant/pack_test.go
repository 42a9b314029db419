package quant

import (
	"encoding/binary"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// fromPanels reads element (r, c) the way a kernel does: by panel, group and slot.
func fromPanels(m Matrix, p []byte, r, c int) float32 {
	per := m.perWord()
	groups := (m.Cols + per - 1) / per
	lane, column := r%64/4, r%4
	word := p[((r/64*groups+c/per)*64+lane+16*column)*16:]
	scale := math.Float32frombits(binary.LittleEndian.Uint32(p[len(p)-4*((m.Rows+63)/64*64)+4*r:]))
	switch m.Scheme {
	case Q8C:
		return float32(int8(word[c%per])) * scale
	case F16:
		return FromF16(binary.LittleEndian.Uint16(word[c%per*2:])) * scale
	}
	return math.Float32frombits(binary.LittleEndian.Uint32(word[c%per*4:])) * scale
}

func TestPanelsHoldEveryElement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(1, 130).Draw(t, "rows"), rapid.IntRange(1, 70).Draw(t, "cols")
		scheme := rapid.SampledFrom([]Scheme{Q8C, F16, F32}).Draw(t, "scheme")
		w := make([]float32, rows*cols)
		for i := range w {
			w[i] = float32(math.Sin(float64(i+1) * 12.9898))
		}
		m, err := Quantize(scheme, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		want, p := make([]float32, rows*cols), m.Panels()
		m.Dequantize(want)
		if len(p) != m.PanelBytes() {
			t.Fatalf("%d bytes, expected %d", len(p), m.PanelBytes())
		}
		for r := range rows {
			for c := range cols {
				if got := fromPanels(m, p, r, c); got != want[r*cols+c] {
					t.Fatalf("element %d, %d is %g, expected %g", r, c, got, want[r*cols+c])
				}
			}
		}
		nonzero := 0
		for _, b := range p[:len(p)-4*((rows+63)/64*64)] {
			if b != 0 {
				nonzero++
			}
		}
		if most := rows * cols * 16 / m.perWord(); nonzero > most {
			t.Fatalf("%d bytes are not zero, the elements have %d: the padding is not", nonzero, most)
		}
	})
}
