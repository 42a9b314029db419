package quant

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// golden reads a safetensors file of testdata; this package imports none of ours that could.
type golden struct {
	infos map[string]struct {
		DType   string `json:"dtype"`
		Shape   []int  `json:"shape"`
		Offsets [2]int `json:"data_offsets"`
	}
	data []byte
}

func readGolden(t *testing.T, path string) golden {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := int(binary.LittleEndian.Uint64(b))
	g := golden{data: b[8+n:]}
	if err := json.Unmarshal(b[8:8+n], &g.infos); err != nil {
		t.Fatal(err)
	}
	return g
}

func (g golden) bytes(name string) []byte {
	i := g.infos[name]
	return g.data[i.Offsets[0]:i.Offsets[1]]
}

func (g golden) floats(name string) []float32 {
	b := g.bytes(name)
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

func TestQ8CGolden(t *testing.T) {
	g := readGolden(t, "testdata/quant.safetensors")
	for _, name := range []string{"a", "b"} {
		shape := g.infos[name+".weight"].Shape
		m, err := Quantize(Q8C, g.floats(name+".weight"), shape[0], shape[1])
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range g.bytes(name + ".int8_rows.q") {
			if m.Int8[i] != int8(want) {
				t.Errorf("%s: q[%d, %d] is %d, expected %d", name, i/m.Cols, i%m.Cols, m.Int8[i], int8(want))
			}
		}
		for i, want := range g.floats(name + ".int8_rows.scale") {
			if m.Scale[i] != want {
				t.Errorf("%s: scale[%d] is %v, expected %v", name, i, m.Scale[i], want)
			}
		}
		got := make([]float32, m.Rows*m.Cols)
		m.Dequantize(got)
		for i, want := range g.floats(name + ".int8_rows.dequant") {
			if got[i] != want {
				t.Errorf("%s: value [%d, %d] is %v, expected %v", name, i/m.Cols, i%m.Cols, got[i], want)
			}
		}
	}
}

// TestQ8CTies: halves round to the even number, which rounding away from zero gets wrong.
func TestQ8CTies(t *testing.T) {
	w := []float32{127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 126.5}
	m, err := Quantize(Q8C, w, 1, len(w))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int8{127, 0, 2, 2, 0, -2, -2, 126} {
		if m.Int8[i] != want {
			t.Errorf("%v became %d, expected %d", w[i], m.Int8[i], want)
		}
	}
}

// TestQ8CHalfStep: the error is at most half a step, up to the rounding of w / scale and q x scale.
func TestQ8CHalfStep(t *testing.T) {
	worst := 0.0
	rapid.Check(t, func(t *rapid.T) {
		cols := rapid.IntRange(1, 67).Draw(t, "cols")
		rows := rapid.IntRange(1, 5).Draw(t, "rows")
		w := rapid.SliceOfN(rapid.Float32Range(-1e6, 1e6), rows*cols, rows*cols).Draw(t, "w")
		m, err := Quantize(Q8C, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]float32, len(w))
		m.Dequantize(got)
		for i := range w {
			step := float64(m.Scale[i/cols])
			if step < 0x1p-126 {
				continue // a subnormal scale is itself rounded coarsely
			}
			d := math.Abs(float64(got[i])-float64(w[i])) / step
			worst = max(worst, d)
			if d > 0.5+127*0x1p-22 {
				t.Fatalf("weight [%d, %d]: %v became %v, %.3f steps away", i/cols, i%cols, w[i], got[i], d)
			}
		}
	})
	if worst < 0.3 { // the bound would be idle if the data never came near it
		t.Errorf("largest error %.3f steps, expected close to 0.5", worst)
	}
}

func TestPassThrough(t *testing.T) {
	w := []float32{1, -2, 0.1, 65504, 0, 1e-9}
	for _, c := range []struct {
		scheme Scheme
		bytes  int
		want   []float32
	}{
		{F32, 24, w},
		{F16, 12, []float32{1, -2, 0.099975586, 65504, 0, 0}},
		{Q8C, 6 + 8, nil},
	} {
		m, err := Quantize(c.scheme, w, 2, 3)
		if err != nil || m.Bytes() != c.bytes {
			t.Fatalf("%s: %d bytes, %v", c.scheme, m.Bytes(), err)
		}
		got := make([]float32, len(w))
		m.Dequantize(got)
		for i, want := range c.want {
			if got[i] != want {
				t.Errorf("%s: [%d] is %v, expected %v", c.scheme, i, got[i], want)
			}
		}
	}
	m := Matrix{Scheme: F32, Rows: 2, Cols: 1, Float: []float32{3, 5}, Scale: []float32{2, 0.5}}
	got := make([]float32, 2)
	if m.Dequantize(got); got[0] != 6 || got[1] != 2.5 {
		t.Errorf("scaled rows: %v", got)
	}
}

func TestQuantizeRefuses(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name   string
		scheme Scheme
		w      []float32
		rows   int
		is     error
		says   string
	}{
		{"nan", Q8C, []float32{1, 2, 3, nan}, 2, ErrValue, "[1, 1]"},
		{"inf", F32, []float32{1, inf}, 1, ErrValue, "[0, 1]"},
		{"past f16", F16, []float32{1, -65520}, 2, ErrValue, "[1, 0]"},
		{"scheme", "q5", []float32{1}, 1, ErrScheme, "q5"},
		{"size", Q8C, []float32{1, 2, 3}, 2, nil, "3 values"},
		{"empty", Q8C, nil, 0, nil, "0 values"},
	} {
		_, err := Quantize(c.scheme, c.w, c.rows, max(len(c.w)/max(c.rows, 1), 1))
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
}

// TestTinyRow: where the scale is subnormal or vanishes nothing overflows.
func TestTinyRow(t *testing.T) {
	for _, v := range []float32{math.SmallestNonzeroFloat32, 100 * math.SmallestNonzeroFloat32, 0x1p-130} {
		m, err := Quantize(Q8C, []float32{v, -v, 0}, 1, 3)
		if err != nil || m.Int8[0] != -m.Int8[1] || m.Int8[0] < 0 || m.Int8[2] != 0 {
			t.Errorf("%v: %v %v", v, m.Int8, err)
		}
	}
}

// TestQuantizePairs: pairs stay within MaxPair, each weight within half a step, and a scale is what its row needs: that of
// Quantize, or what takes the widest pair to 127.
func TestQuantizePairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cols := rapid.IntRange(1, 9).Draw(t, "cols")
		w := rapid.SliceOfN(rapid.Float32Range(-math.MaxFloat32, math.MaxFloat32), 2*cols, 2*cols).Draw(t, "w")
		m, err := QuantizePairs(w, 2, cols)
		if err != nil {
			t.Fatal(err)
		}
		plain, err := Quantize(Q8C, w, 2, cols)
		if err != nil {
			t.Fatal(err)
		}
		if !m.PairsFit() {
			t.Fatal("PairsFit does not see it")
		}
		for r := range 2 {
			need := float64(plain.Scale[r])
			for c := 1; c < cols; c += 2 {
				at := r*cols + c
				if pair := int(m.Int8[at-1]) + int(m.Int8[at]); max(pair, -pair) > MaxPair {
					t.Fatalf("columns %d and %d of %v: %d and %d", c-1, c, w[r*cols:(r+1)*cols], m.Int8[at-1], m.Int8[at])
				}
				need = max(need, math.Abs(float64(w[at-1])+float64(w[at]))/MaxInt8)
			}
			if m.Scale[r] != float32(need) {
				t.Fatalf("scale %v, expected %v", m.Scale[r], float32(need))
			}
			if m.Scale[r] < 1e-30 { // quotients are coarse there
				continue
			}
			for c := range cols {
				at := r*cols + c
				if d := math.Abs(float64(m.Int8[at])*float64(m.Scale[r]) - float64(w[at])); d > 0.50001*float64(m.Scale[r]) {
					t.Fatalf("%v became %d steps of %v", w[at], m.Int8[at], m.Scale[r])
				}
			}
		}
	})
	if _, err := QuantizePairs([]float32{1, float32(math.NaN())}, 1, 2); !errors.Is(err, ErrValue) {
		t.Errorf("NaN: %v", err)
	}
	// Where no pair is wider than the widest weight the two are the same; Quantize alone breaks the limit.
	same, wide := []float32{1, -1, 0.5, 0.25}, []float32{1, 0.5}
	a, _ := QuantizePairs(same, 1, 4)
	b, _ := Quantize(Q8C, same, 1, 4)
	if a.Scale[0] != b.Scale[0] || !slices.Equal(a.Int8, b.Int8) {
		t.Errorf("%v, expected %v", a, b)
	}
	if c, _ := Quantize(Q8C, wide, 1, 2); int(c.Int8[0])+int(c.Int8[1]) <= MaxPair || c.PairsFit() {
		t.Errorf("Quantize keeps the limit: %v", c.Int8)
	}
	if c, _ := Quantize(F32, same, 1, 4); c.PairsFit() {
		t.Error("float32 weights are no int8")
	}
}
