package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// raw assembles a file of any header text and data.
func raw(header string, data int) []byte {
	b := le.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

// TestRefuses lists the ways in which a file can lie.
func TestRefuses(t *testing.T) {
	const f4 = `{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`
	cases := []struct {
		name string
		file []byte
		says string
	}{
		{"empty", nil, "0 bytes"},
		{"short prefix", []byte{1, 2, 3}, "3 bytes"},
		{"header past the end", append(le.AppendUint64(nil, 100), "{}"...), "header of 100 bytes"},
		{"huge header", append(le.AppendUint64(nil, math.MaxUint64), "{}"...), "header of 18446744073709551615 bytes"},
		{"no JSON", raw(`hello`, 0), "no JSON"},
		{"array", raw(`[]`, 0), "expected"},
		{"text after", raw(`{} {}`, 0), "after its end"},
		{"cut JSON", raw(`{"a":`+f4, 4), "no JSON"},
		{"name twice", raw(`{"a":`+f4+`,"a":`+f4+`}`, 4), `"a" twice`},
		{"key twice", raw(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4), `"dtype" twice`},
		{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`, 0), "twice"},
		{"metadata no text", raw(`{"__metadata__":{"a":1}}`, 0), "expected a string"},
		{"metadata nested", raw(`{"__metadata__":{"a":{}}}`, 0), "expected a string"},
		{"unknown key", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}`, 4), `unknown key "x"`},
		{"no offsets", raw(`{"a":{"dtype":"F32","shape":[1]}}`, 4), "data_offsets"},
		{"one offset", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}`, 4), "data_offsets"},
		{"three offsets", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, 4), "more than 2"},
		{"unknown dtype", raw(`{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,4]}}`, 4), `"C64"`},
		{"negative extent", raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, 4), "-1"},
		{"fractional extent", raw(`{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}`, 4), "1.5"},
		{"extent past int64", raw(`{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}`, 4), "integer"},
		{"overflow", raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0), "overflows"},
		{"rank", raw(`{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}`, 4), "more than 8"},
		{"size", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 4), "expected 8 bytes"},
		{"backwards", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, 4), "expected 4 bytes"},
		{"hole", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}`, 8), "hole"},
		{"overlap", raw(`{"a":`+f4+`,"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}`, 6), `tensor "b"`},
		{"same range", raw(`{"a":`+f4+`,"b":`+f4+`}`, 4), "overlap"},
		{"past the end", raw(`{"a":`+f4+`}`, 3), "the file has 3"},
		{"bytes left over", raw(`{"a":`+f4+`}`, 5), "the file has 5"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("x.safetensors", c.file)
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "x.safetensors") {
				t.Errorf("got %v, expected ErrCorrupt that names the file and says %q", err, c.says)
			}
			_, err = NewReader("x.safetensors", bytes.NewReader(c.file), int64(len(c.file)))
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("reader: got %v", err)
			}
			path := filepath.Join(t.TempDir(), "x.safetensors")
			if err := os.WriteFile(path, c.file, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err = Open(path); !errors.Is(err, ErrCorrupt) {
				t.Errorf("open: got %v", err)
			}
		})
	}
}

func TestOpenRefusesOtherThings(t *testing.T) {
	if _, err := Open(t.TempDir()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

// sample holds one tensor of each kind, a scalar and an empty one.
func sample() (map[string]string, []Entry) {
	return map[string]string{"b": "2", "a": "line\n\"quoted\" é"}, []Entry{
		Int8Entry("odd", tensor.Shape{3}, []int8{-128, 0, 127}),
		Float32Entry("w", tensor.Tensor{Shape: tensor.Shape{2, 3}, Data: []float32{1, -2, 3.5, 0, 1e-40, 7}}),
		HalfEntry("h", tensor.Shape{2}, []uint16{0x3c00, 0xc000}),
		Float32Entry("scalar", tensor.Tensor{Data: []float32{0.1}}),
		Float32Entry("empty", tensor.Tensor{Shape: tensor.Shape{0, 4}}),
	}
}

// readers opens the same bytes in every way there is.
func readers(t *testing.T, data []byte) map[string]*File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.safetensors")
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	shifted := append(make([]byte, 1, len(data)+1), data...)[1:] // views cannot alias an odd address
	files := map[string]*File{}
	for name, open := range map[string]func() (*File, error){
		"open":   func() (*File, error) { return Open(path) },
		"parse":  func() (*File, error) { return Parse(path, data) },
		"odd":    func() (*File, error) { return Parse(path, shifted) },
		"reader": func() (*File, error) { return NewReader(path, bytes.NewReader(data), int64(len(data))) },
	} {
		f, err := open()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() {
			if err := errors.Join(f.Close(), f.Close()); err != nil {
				t.Errorf("%s: close twice: %v", name, err)
			}
		})
		files[name] = f
	}
	return files
}

func TestRoundTrip(t *testing.T) {
	metadata, entries := sample()
	var b bytes.Buffer
	if err := Write(&b, metadata, entries); err != nil {
		t.Fatal(err)
	}
	if n := le.Uint64(b.Bytes()); (n+prefixBytes)%8 != 0 {
		t.Errorf("data begins at %d, expected a multiple of 8", n+prefixBytes)
	}
	for name, f := range readers(t, b.Bytes()) {
		t.Run(name, func(t *testing.T) {
			if !reflect.DeepEqual(f.Metadata(), metadata) {
				t.Errorf("metadata %v", f.Metadata())
			}
			if got := fmt.Sprint(f.Names()); got != "[empty h odd scalar w]" {
				t.Errorf("names %v", got)
			}
			for _, e := range entries {
				got, err := f.Bytes(e.Name)
				info, _ := f.Info(e.Name)
				if err != nil || !bytes.Equal(got, e.Data) || info.DType != e.DType || !info.Shape.Equal(e.Shape) {
					t.Errorf("%s: %v %v %v", e.Name, info, got, err)
				}
			}
			w, err := f.Float32("w")
			if err != nil || !w.Shape.Equal(tensor.Shape{2, 3}) || w.Data[2] != 3.5 || w.Data[4] != 1e-40 {
				t.Errorf("w: %v %v", w, err)
			}
			if h, err := f.Float32("h"); err != nil || h.Data[0] != 1 || h.Data[1] != -2 {
				t.Errorf("h: %v %v", h, err)
			}
			if h, err := f.Half("h"); err != nil || h[1] != 0xc000 {
				t.Errorf("h bits: %v %v", h, err)
			}
			if q, err := f.Int8("odd"); err != nil || q[0] != -128 || q[2] != 127 {
				t.Errorf("odd: %v %v", q, err)
			}
			if _, err := f.Int8("w"); !errors.Is(err, ErrCorrupt) {
				t.Errorf("w as int8: %v", err)
			}
			if _, err := f.Float32("none"); !errors.Is(err, ErrNoTensor) {
				t.Errorf("missing tensor: %v", err)
			}
		})
	}
}

// TestViewAliases makes sure that reading float32 from memory copies nothing.
func TestViewAliases(t *testing.T) {
	_, entries := sample()
	var b bytes.Buffer
	if err := Write(&b, nil, entries); err != nil {
		t.Fatal(err)
	}
	f, err := Parse("x", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	one, _ := f.Float32("w")
	two, _ := f.Float32("w")
	if &one.Data[0] != &two.Data[0] {
		t.Error("float32 data was copied")
	}
}

func TestConversions(t *testing.T) {
	cases := []struct {
		dtype DType
		bytes []byte
		want  float32
	}{
		{Bool, []byte{1}, 1}, {U8, []byte{255}, 255}, {I8, []byte{255}, -1},
		{U16, []byte{0, 255}, 65280}, {I16, []byte{254, 255}, -2}, {BF16, []byte{0x80, 0xbf}, -1},
		{F16, []byte{1, 0}, 0x1p-24}, {F16, []byte{0xff, 0x7b}, 65504}, {F16, []byte{0, 0xfc}, float32(math.Inf(-1))},
		{U32, []byte{0, 0, 0, 128}, 1 << 31}, {I32, []byte{255, 255, 255, 255}, -1},
		{U64, []byte{0, 0, 0, 0, 0, 0, 0, 128}, 1 << 63}, {I64, []byte{253, 255, 255, 255, 255, 255, 255, 255}, -3},
		{F64, le.AppendUint64(nil, math.Float64bits(0.1)), 0.1},
	}
	for _, c := range cases {
		var b bytes.Buffer
		if err := Write(&b, nil, []Entry{{"x", c.dtype, nil, c.bytes}}); err != nil {
			t.Fatal(err)
		}
		f, err := Parse("x", b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Float32("x"); err != nil || got.Data[0] != c.want {
			t.Errorf("%s % x: got %v (%v), expected %v", c.dtype, c.bytes, got.Data, err, c.want)
		}
	}
}

// TestHalfValue checks all halves against their definition.
func TestHalfValue(t *testing.T) {
	for h := range 1 << 16 {
		sign, exponent, fraction := 1-2*float64(h>>15), h>>10&31, float64(h&1023)
		want := sign * math.Ldexp(1024+fraction, exponent-25)
		switch {
		case exponent == 0:
			want = math.Copysign(math.Ldexp(fraction, -24), sign)
		case exponent == 31 && fraction == 0:
			want = math.Inf(int(sign))
		case exponent == 31:
			want = math.NaN()
		}
		got := float64(halfValue(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("%#04x: got %v, expected %v", h, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	metadata, entries := sample()
	var b bytes.Buffer
	if err := Write(&b, metadata, entries); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(raw(`{"a":{"dtype":"F8_E4M3","shape":[2,1],"data_offsets":[0,2]}}`, 2))
	f.Add(raw(`{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse("fuzz", data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v is no ErrCorrupt", err)
			}
			return
		}
		for _, name := range file.Names() { // whatever was accepted can be read
			info, _ := file.Info(name)
			v, err := file.Float32(name)
			if err == nil && len(v.Data) != info.Shape.Elems() {
				t.Fatalf("%s: %d values for %v", name, len(v.Data), info.Shape)
			}
		}
	})
}
