package quant

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var int4Schemes = []Scheme{Q4G, Q4G32, Q4G128}

func gaussian(seed uint64, n int) []float32 {
	r := rand.New(rand.NewPCG(seed, 4))
	w := make([]float32, n)
	for i := range w {
		w[i] = float32(r.NormFloat64())
	}
	return w
}

// TestInt4Layout pins words and scales to the bits that any reader of compressed-tensors expects.
func TestInt4Layout(t *testing.T) {
	w := make([]float32, 2*9)
	copy(w, []float32{-7, -6, -5, 0, 1, 2, 6, 7, 3}) // scale 1, which any smaller one cannot match
	w[9+8] = 14
	m, err := Quantize(Q4G, w, 2, 9)
	if err != nil {
		t.Fatal(err)
	}
	if m.Words() != 2 || m.Groups() != 1 || m.Check() != nil || m.Bytes() != 4*4+2*2 {
		t.Fatalf("%d words, %d groups, %d bytes, %v", m.Words(), m.Groups(), m.Bytes(), m.Check())
	}
	const unused = 0xfffffff0
	for i, want := range []uint32{0xfea98321, 0xb, 0x88888888, 0xf} {
		if got := m.Int4[i]; got&^uint32(unused*(i%2)) != want {
			t.Errorf("word %d is %#x, expected %#x", i, got, want)
		}
	}
	if m.GroupScale[0] != 0x3c00 || m.GroupScale[1] != 0x4000 {
		t.Errorf("scales %#x, expected those of 1 and 2", m.GroupScale)
	}
}

// TestInt4Rows: row by row, one by one and as values the integers are the same, whatever the widths.
func TestInt4Rows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(int4Schemes).Draw(t, "scheme")
		rows, cols := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 300).Draw(t, "cols")
		m := newInt4(s, rows, cols)
		want := make([][]int8, rows)
		for r := range rows {
			want[r] = rapid.SliceOfN(rapid.Int8Range(MinInt4, MaxInt4), cols, cols).Draw(t, "q")
			m.setInt4Row(r, want[r])
		}
		for i := range m.GroupScale {
			m.GroupScale[i] = ToF16(float32(i+1) / 8)
		}
		m.Scale = gaussian(1, rows)
		q, v, scales := make([]int8, cols), make([]float32, cols), make([]float32, m.Groups())
		for r := range rows {
			m.Int4Row(q, r)
			m.DequantizeRow(v, r)
			m.GroupScales(scales, r)
			for c := range q {
				value := float32(q[c]) * scales[c/s.Group()] * m.Scale[r]
				if q[c] != want[r][c] || m.int4At(r, c) != q[c] || v[c] != value {
					t.Fatalf("[%d, %d]: %d, %d and %v, expected %d and %v", r, c, q[c], m.int4At(r, c), v[c], want[r][c], value)
				}
			}
		}
	})
}

// squaredError is the squared distance of a matrix to what it was made of.
func squaredError(m Matrix, w []float32) (sum float64) {
	got := make([]float32, len(w))
	m.Dequantize(got)
	for i, v := range got {
		sum += float64(v-w[i]) * float64(v-w[i])
	}
	return sum
}

// TestInt4Search: no group is worse off than with max / 7, Gaussian weights gain at least a twentieth, and smaller groups
// are better.
func TestInt4Search(t *testing.T) {
	const rows, cols = 50, 352
	w := gaussian(7, rows*cols)
	var last float64
	for _, s := range []Scheme{Q4G32, Q4G, Q4G128} {
		m, err := Quantize(s, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		plain := newInt4(s, rows, cols)
		group := s.Group()
		for r := range rows {
			q := make([]int8, cols)
			for lo := 0; lo < cols; lo += group {
				hi := min(lo+group, cols)
				row := w[r*cols+lo : r*cols+hi]
				h := ToF16(largest(row) / MaxInt4)
				plain.GroupScale[r*plain.Groups()+lo/group] = h
				for i, v := range row {
					q[lo+i] = roundInt4(v, FromF16(h), -MaxInt4)
				}
				if chosen := FromF16(m.GroupScale[r*m.Groups()+lo/group]); int4Error(row, nil, chosen) > int4Error(row, nil, FromF16(h)) {
					t.Fatalf("%s [%d, %d]: scale %v is worse than %v", s, r, lo, chosen, FromF16(h))
				}
			}
			plain.setInt4Row(r, q)
		}
		e := squaredError(m, w)
		if p := squaredError(plain, w); e > 0.95*p {
			t.Errorf("%s: squared error %.4g, without a search %.4g", s, e, p)
		}
		if e < last {
			t.Errorf("%s: squared error %.4g, with smaller groups %.4g", s, e, last)
		}
		last = e
	}
}

// TestInt4Golden: on PyTorch's reference weights the scale search is better than rounding with max / 7 as recorded there.
func TestInt4Golden(t *testing.T) {
	g := readGolden(t, "testdata/quant.safetensors")
	for name, plain := range map[string]float64{"a": 0.06470265239477158, "b": 0.07930982112884521} { // relative RMS errors, groups of 32
		w, shape := g.floats(name+".weight"), g.infos[name+".weight"].Shape
		m, err := Quantize(Q4G32, w, shape[0], shape[1])
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, v := range w {
			sum += float64(v) * float64(v)
		}
		if e := math.Sqrt(squaredError(m, w) / sum); e > plain || e < plain/2 {
			t.Errorf("%s: relative error %.4f, expected below %.4f", name, e, plain)
		}
	}
}

func TestInt4Extremes(t *testing.T) {
	for _, c := range []struct {
		name string
		w    []float32
		want []float32
	}{
		{"zeros", []float32{0, 0}, []float32{0, 0}},
		{"scale vanishes", []float32{1e-8, -1e-8}, []float32{0, 0}},
		{"largest", []float32{7 * 65504, -7 * 65504}, []float32{7 * 65504, -7 * 65504}},
		{"subnormal scale", []float32{7 * 0x1p-24, -3 * 0x1p-24}, []float32{7 * 0x1p-24, -3 * 0x1p-24}},
	} {
		m, err := Quantize(Q4G, c.w, 1, 2)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		got := make([]float32, 2)
		if m.Dequantize(got); got[0] != c.want[0] || got[1] != c.want[1] {
			t.Errorf("%s: %v, expected %v", c.name, got, c.want)
		}
	}
	_, err := Quantize(Q4G32, append(make([]float32, 99), 1e6), 2, 50)
	if !errors.Is(err, ErrValue) || !strings.Contains(err.Error(), "[1, 32] to [1, 49]") {
		t.Errorf("too large: %v", err)
	}
}

func TestMatrixCheck(t *testing.T) {
	good := func() Matrix { m, _ := Quantize(Q4G, gaussian(1, 2*96), 2, 96); return m }
	if m := good(); m.Groups() != 2 || m.Check() != nil {
		t.Fatalf("%d groups, %v", m.Groups(), m.Check())
	}
	for name, spoil := range map[string]func(m *Matrix){
		"words":      func(m *Matrix) { m.Int4 = m.Int4[1:] },
		"scales":     func(m *Matrix) { m.GroupScale = m.GroupScale[1:] },
		"row scales": func(m *Matrix) { m.Scale = []float32{1} },
		"group":      func(m *Matrix) { m.Scheme = Q4G32 },
		"scheme":     func(m *Matrix) { m.Scheme = "q5" },
		"empty":      func(m *Matrix) { m.Rows = 0 },
	} {
		m := good()
		if spoil(&m); m.Check() == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := m.Pack(); err == nil {
			t.Errorf("%s: packed", name)
		}
	}
}

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		cols, block, group int
		want               []int
	}{
		{96, PerToken, 64, []int{64, 96}},
		{96, 64, 128, []int{64, 96}},
		{130, 64, 64, []int{64, 128, 130}},
		{100, 48, 32, []int{32, 48, 64, 96, 100}},
		{7, PerToken, 0, []int{7}},
		{100, 64, 0, []int{64, 100}},
	} {
		var ends []int
		next := 0
		Runs(c.cols, c.block, c.group, func(from, to int) {
			if from != next {
				t.Errorf("%+v: run from %d, expected %d", c, from, next)
			}
			next, ends = to, append(ends, to)
		})
		if len(ends) != len(c.want) {
			t.Errorf("%+v: runs end at %v", c, ends)
			continue
		}
		for i := range ends {
			if ends[i] != c.want[i] {
				t.Errorf("%+v: runs end at %v", c, ends)
			}
		}
	}
}

// TestDotInt8 holds the definition to float64 sums of dequantised values.
func TestDotInt8(t *testing.T) {
	const cols = 197
	for _, s := range []Scheme{Q8C, Q4G, Q4G32, Q4G128} {
		m, err := Quantize(s, gaussian(3, 3*cols), 3, cols)
		if err != nil {
			t.Fatal(err)
		}
		if s.Group() > 0 {
			m.Scale = []float32{0.5, 3, -2}
		}
		for _, block := range []int{PerToken, 64, 48} {
			x, q, scale := gaussian(4, cols), make([]int8, cols), make([]float32, ActivationBlocks(cols, block))
			QuantizeActivations(q, scale, x, block)
			w := make([]float32, cols)
			for r := range 3 {
				m.DequantizeRow(w, r)
				var want, size float64
				for c, v := range w {
					p := float64(v) * float64(q[c]) * float64(scale[c/block])
					want, size = want+p, size+math.Abs(p)
				}
				if got := m.DotInt8(r, q, scale, block); math.Abs(float64(got)-want) > 1e-6*size { // a few roundings of 2^-24
					t.Errorf("%s block %d row %d: %v, expected %v", s, block, r, got, want)
				}
			}
		}
	}
}
