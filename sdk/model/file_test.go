package model

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// encoded is b as file bytes, after change had its way with metadata and tensors.
func encoded(t testing.TB, b *Backbone, change func(map[string]string, *[]checkpoint.Entry)) []byte {
	t.Helper()
	metadata, entries, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(metadata, &entries)
	}
	var w bytes.Buffer
	if err := checkpoint.Write(&w, metadata, entries); err != nil {
		t.Fatal(err)
	}
	return w.Bytes()
}

func TestBackboneRoundTrip(t *testing.T) {
	for _, folder := range []string{timmFolder(t), hfFolder(t)} {
		for _, scheme := range quant.Schemes {
			b := tinyBackbone(t, folder, scheme)
			path := filepath.Join(t.TempDir(), "b.safetensors")
			if err := b.WriteFile(path); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(data, encoded(t, tinyBackbone(t, folder, scheme), nil)) {
				t.Errorf("%s: a second run gives other bytes", scheme)
			}
			opened, err := OpenBackbone(path)
			if err != nil {
				t.Fatal(err)
			}
			parsed, err := ReadBackbone(data)
			if err != nil {
				t.Fatal(err)
			}
			read, err := ReadBackboneAt(bytes.NewReader(data), int64(len(data)))
			if err != nil {
				t.Fatal(err)
			}
			for _, got := range []*Backbone{opened, parsed, read} {
				if !reflect.DeepEqual(got.Config(), b.Config()) || got.Scheme() != scheme || got.Bytes() != b.Bytes() || got.Fingerprint() == "" {
					t.Errorf("%s: %+v, expected %+v", scheme, got.Config(), b.Config())
				}
				if !reflect.DeepEqual(got.linear, b.linear) || !reflect.DeepEqual(got.float, b.float) {
					t.Errorf("%s: tensors differ", scheme)
				}
			}
			if err := errors.Join(opened.Close(), opened.Close(), parsed.Close()); err != nil {
				t.Errorf("close: %v", err)
			}
		}
	}
}

// TestStorage: what is not quantised keeps the source's type, and weight scales are [rows, 1].
func TestStorage(t *testing.T) {
	for folder, want := range map[string]checkpoint.DType{timmFolder(t): checkpoint.F32, hfFolder(t): checkpoint.F16} {
		f, err := checkpoint.Parse("b", encoded(t, tinyBackbone(t, folder, quant.Q8C), nil))
		if err != nil {
			t.Fatal(err)
		}
		for n, dtype := range map[string]checkpoint.DType{posEmbed: want, name(0, "attn.qkv.bias"): want, name(0, "attn.qkv.weight"): checkpoint.I8,
			name(0, "attn.qkv.weight_scale"): checkpoint.F32} {
			if i, err := f.Info(n); err != nil || i.DType != dtype {
				t.Errorf("%s is %v (%v), expected %s", n, i, err, dtype)
			}
		}
		if i, _ := f.Info(name(0, "attn.qkv.weight_scale")); !i.Shape.Equal(tensor.Shape{18, 1}) {
			t.Errorf("scales are %v", i.Shape)
		}
	}
}

// TestLayerScaleFolds: the folded layer gives gamma times what the layer gives.
func TestLayerScaleFolds(t *testing.T) {
	for _, scheme := range quant.Schemes {
		b := tinyBackbone(t, hfFolder(t), scheme)
		for layer, gain := range map[string]string{"attn.proj": "ls1.gamma", "mlp.fc2": "ls2.gamma", "attn.qkv": "", "mlp.fc1": ""} {
			raw := b.linear[name(1, layer+".weight")]
			m, bias := b.Linear(1, layer)
			if len(bias) != m.Rows || m.Bytes() == 0 {
				t.Fatalf("%s: %d biases for %d rows", layer, len(bias), m.Rows)
			}
			plain, folded := make([]float32, m.Rows*m.Cols), make([]float32, m.Rows*m.Cols)
			raw.Dequantize(plain)
			m.Dequantize(folded)
			for i := range plain {
				g := float32(1)
				if gain != "" {
					g = b.Float(name(1, gain))[i/m.Cols]
				}
				if d := math.Abs(float64(folded[i] - g*plain[i])); d > 1e-6*math.Abs(float64(folded[i]))+1e-30 {
					t.Fatalf("%s %s: element %d is %v, expected %v", scheme, layer, i, folded[i], g*plain[i])
				}
			}
			if gain != "" && slices.Equal(plain, folded) {
				t.Errorf("control: %s is not scaled", layer)
			}
		}
	}
}

func TestPrefixAndPositions(t *testing.T) {
	b := tinyBackbone(t, timmFolder(t), quant.Q8C)
	pos := b.Float(posEmbed)
	for i, v := range b.Prefix() {
		if v != b.Float(clsToken)[i]+pos[i] {
			t.Fatalf("prefix %d", i)
		}
	}
	if p := b.Positions(2, 2); !p.Shape.Equal(tensor.Shape{2, 2, 6}) || !slices.Equal(p.Data, pos[6:]) {
		t.Errorf("positions of the trained grid: %v", p)
	}
	if p := b.Positions(3, 5); !p.Shape.Equal(tensor.Shape{3, 5, 6}) {
		t.Errorf("positions %v", p.Shape)
	}
}

func TestReadRefuses(t *testing.T) {
	type edit = func(map[string]string, *[]checkpoint.Entry)
	set := func(key, value string) edit {
		return func(m map[string]string, _ *[]checkpoint.Entry) { m[key] = value }
	}
	replace := func(e checkpoint.Entry) edit {
		return func(_ map[string]string, entries *[]checkpoint.Entry) {
			for i := range *entries {
				if (*entries)[i].Name == e.Name {
					(*entries)[i] = e
				}
			}
		}
	}
	scales := func(v float64) tensor.Tensor {
		t := tensor.New(18, 1)
		t.Data[7] = float32(v)
		return t
	}
	qkv := name(0, "attn.qkv.weight")
	b := tinyBackbone(t, hfFolder(t), quant.Q8C)
	for _, c := range []struct {
		name string
		edit edit
		is   error
		says string
	}{
		{"kind", set(metaKind, "adapter"), ErrCorrupt, `"adapter"`},
		{"version", set(metaVersion, "3"), ErrVersion, `"3"`},
		{"config", set(metaConfig, "{"), ErrCorrupt, "config"},
		{"depth", set(metaConfig, strings.Replace(encodedConfig(t, b), `"depth":2`, `"depth":100000`, 1)), ErrCorrupt, "depth is 100000"},
		{"other depth", set(metaConfig, strings.Replace(encodedConfig(t, b), `"depth":2`, `"depth":1`, 1)), ErrCorrupt, "too many"},
		{"heads", set(metaConfig, strings.Replace(encodedConfig(t, b), `"heads":3`, `"heads":0`, 1)), ErrCorrupt, "heads is 0"},
		{"scheme", set(metaScheme, "q5"), ErrCorrupt, "q5"},
		{"other scheme", set(metaScheme, "f16"), ErrCorrupt, qkv},
		{"fingerprint", set(metaFingerprint, "abc"), ErrCorrupt, "fingerprint"},
		{"missing", func(_ map[string]string, e *[]checkpoint.Entry) { *e = (*e)[1:] }, ErrCorrupt, patchProj},
		{"extra", func(_ map[string]string, e *[]checkpoint.Entry) {
			*e = append(*e, checkpoint.Float32Entry("x", tensor.New(1)))
		}, ErrCorrupt, "1 tensors too many"},
		{"shape", replace(checkpoint.Float32Entry("norm.bias", tensor.New(7))), ErrCorrupt, `"norm.bias" is [7], expected [6]`},
		{"dtype", replace(checkpoint.Int8Entry("norm.bias", tensor.Shape{6}, make([]int8, 6))), ErrCorrupt, "expected F16 or F32"},
		{"infinite half", replace(checkpoint.HalfEntry("norm.bias", tensor.Shape{6}, []uint16{0, 0, 0x7c00, 0, 0, 0})), ErrCorrupt, "element 2"},
		{"scale shape", replace(checkpoint.Float32Entry(qkv+scaleSuffix, tensor.New(18))), ErrCorrupt, "expected [18, 1]"},
		{"scale nan", replace(checkpoint.Float32Entry(qkv+scaleSuffix, scales(math.NaN()))), ErrCorrupt, "element 7"},
		{"weight dtype", replace(checkpoint.Float32Entry(qkv, tensor.New(18, 6))), ErrCorrupt, "expected I8"},
	} {
		_, err := ReadBackbone(encoded(t, b, c.edit))
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, expected %v that says %q", c.name, err, c.is, c.says)
		}
	}
	if _, err := ReadBackbone(encoded(t, b, nil)); err != nil {
		t.Errorf("control: %v", err)
	}
}

func encodedConfig(t testing.TB, b *Backbone) string {
	metadata, _, err := b.encode()
	if err != nil {
		t.Fatal(err)
	}
	return metadata[metaConfig]
}

func FuzzReadBackbone(f *testing.F) {
	f.Add(encoded(f, tinyBackbone(f, timmFolder(f), quant.F16), nil))
	f.Add(encoded(f, tinyBackbone(f, hfFolder(f), quant.Q8C), nil))
	f.Add(encoded(f, tinyBackbone(f, hfFolder(f), quant.Q4G), nil))
	f.Add(encoded(f, tinyBackbone(f, hfFolder(f), quant.Q4G128).WithCalibration(CalibrationRecord{Images: 32, Seed: 1}), nil))
	f.Add(encoded(f, tinyBackbone(f, hfFolder(f), quant.Q4G32), func(m map[string]string, _ *[]checkpoint.Entry) { m[metaScheme] = "q4g" }))
	f.Add(encoded(f, tinyBackbone(f, hfFolder(f), quant.Q8C), func(m map[string]string, _ *[]checkpoint.Entry) { m[metaScheme] = "f32" }))
	f.Add(encoded(f, tinyBackbone(f, tinyFolder(f, swinFile(f, swinLayouts[0], nil), swinJSON, ""), quant.Q8C), nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ReadBackbone(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%v is neither ErrCorrupt nor ErrVersion", err)
			}
			return
		}
		c := b.Config()
		b.Prefix()
		b.Positions(2, 3)
		for i := range c.Depth {
			for _, layer := range layers {
				m, bias := b.Linear(i, layer)
				m.DequantizeRow(make([]float32, m.Cols), m.Rows-1)
				if len(bias) != m.Rows {
					t.Fatalf("block %d %s: %d biases for %d rows", i, layer, len(bias), m.Rows)
				}
			}
		}
	})
}
