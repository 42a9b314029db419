package quant

import (
	"encoding/binary"
	"testing"
)

// TestInt4Form: the words, scales and shapes that compressed-tensors' own packer made stand for the weights that it was
// given, and setInt4Row makes the same words.
func TestInt4Form(t *testing.T) {
	g := readGolden(t, "testdata/int4.safetensors")
	for name, scheme := range map[string]Scheme{"a": Q4G, "b": Q4G, "c": Q4G32} {
		shape := g.bytes(name + ".weight_shape")
		m := newInt4(scheme, int(binary.LittleEndian.Uint64(shape)), int(binary.LittleEndian.Uint64(shape[8:])))
		words, scales := g.bytes(name+".weight_packed"), g.bytes(name+".weight_scale")
		if len(words) != 4*len(m.Int4) || len(scales) != 2*len(m.GroupScale) {
			t.Fatalf("%s: %d and %d bytes for [%d, %d]", name, len(words), len(scales), m.Rows, m.Cols)
		}
		for i := range m.Int4 {
			m.Int4[i] = binary.LittleEndian.Uint32(words[4*i:])
		}
		for i := range m.GroupScale {
			m.GroupScale[i] = binary.LittleEndian.Uint16(scales[2*i:])
		}
		got := make([]float32, m.Rows*m.Cols)
		m.Dequantize(got)
		for i, want := range g.floats(name + ".dequant") {
			if got[i] != want {
				t.Fatalf("%s: [%d, %d] is %v, expected %v", name, i/m.Cols, i%m.Cols, got[i], want)
			}
		}
		q, again := make([]int8, m.Cols), newInt4(scheme, m.Rows, m.Cols)
		for r := range m.Rows {
			m.Int4Row(q, r)
			again.setInt4Row(r, q)
		}
		for i, w := range again.Int4 {
			if w != m.Int4[i] {
				t.Fatalf("%s: word %d is %#x, expected %#x", name, i, w, m.Int4[i])
			}
		}
	}
}
