package adapter

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

var tinyRef = Ref{Name: "vit-d64-p8", Fingerprint: strings.Repeat("ab", 32), Dim: 64, Depth: 3,
	Preprocess: checkpoint.Preprocess{Resize: 36, Crop: 32, Interpolation: checkpoint.Bicubic, Std: [3]float32{1, 1, 1}}}

func tinyConfig() Config {
	return Config{Name: "cloth", Method: AdaptFormer, Blocks: []int{0, 2}, Bottleneck: 7, Scale: 0.1, Dropout: 0.1, Pool: PoolCLSMean,
		HeadNorm: true, Task: SingleLabel, Labels: []string{"good", "hole", "stain"}, Size: 32, Fit: Squash,
		Interpolation: checkpoint.Bilinear, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.2, 0.2, 0.2}}
}

func tiny(t testing.TB, change func(*Config)) *Adapter {
	t.Helper()
	c := tinyConfig()
	if change != nil {
		change(&c)
	}
	a, err := New(c, tinyRef, 3)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestNew checks the start values: a branch that adds nothing, and a head of the stated spread.
func TestNew(t *testing.T) {
	a := tiny(t, func(c *Config) { c.Bottleneck = 256; c.Labels = manyLabels(200) })
	down := a.Tensor("blocks.2.adaptmlp.down_proj.weight")
	if !down.Shape.Equal(tensor.Shape{256, 64}) {
		t.Fatalf("down is %v", down.Shape)
	}
	// Uniform in +-1/8: variance bound^2/3, and values close to both ends.
	bound := 1 / math.Sqrt(64)
	if v := variance(down.Data); math.Abs(v/(bound*bound/3)-1) > 0.03 || float64(slices.Max(down.Data)) < 0.99*bound || float64(slices.Max(down.Data)) > bound {
		t.Errorf("down: variance %g, largest %g, expected uniform in +-%g", v, slices.Max(down.Data), bound)
	}
	head := a.Tensor("head.1.weight")
	if s := math.Sqrt(variance(head.Data)); !head.Shape.Equal(tensor.Shape{200, 128}) || math.Abs(s/0.01-1) > 0.03 {
		t.Errorf("head %v has deviation %g", head.Shape, s)
	}
	for name, want := range map[string]float32{"blocks.0.adaptmlp.up_proj.weight": 0, "blocks.0.adaptmlp.up_proj.bias": 0,
		"blocks.0.adaptmlp.down_proj.bias": 0, "head.1.bias": 0, "head.0.running_mean": 0, "head.0.running_var": 1} {
		x := a.Tensor(name)
		if len(x.Data) == 0 || slices.ContainsFunc(x.Data, func(v float32) bool { return v != want }) {
			t.Errorf("%s is not all %v", name, want)
		}
	}
	if x := a.Tensor("blocks.1.adaptmlp.up_proj.weight"); x.Data != nil {
		t.Error("block 1 has a branch")
	}
}

func variance(v []float32) float64 {
	var sum, squares float64
	for _, x := range v {
		sum += float64(x)
		squares += float64(x) * float64(x)
	}
	n := float64(len(v))
	return squares/n - sum/n*sum/n
}

func manyLabels(n int) []string {
	l := make([]string, n)
	for i := range l {
		l[i] = strings.Repeat("x", i+1)
	}
	return l
}

func TestNewRepeats(t *testing.T) {
	const down = "blocks.2.adaptmlp.down_proj.weight"
	a, fewer := tiny(t, nil), tiny(t, func(c *Config) { c.Blocks = []int{2} })
	if !slices.Equal(a.Tensor(down).Data, tiny(t, nil).Tensor(down).Data) || !slices.Equal(a.Tensor(down).Data, fewer.Tensor(down).Data) {
		t.Error("the same seed gives other values")
	}
	if slices.Equal(a.Tensor(down).Data, a.Tensor("blocks.0.adaptmlp.down_proj.weight").Data) {
		t.Error("two blocks start equal")
	}
	other, err := New(tinyConfig(), tinyRef, 4)
	if err != nil || slices.Equal(a.Tensor(down).Data, other.Tensor(down).Data) {
		t.Errorf("another seed gives the same values (%v)", err)
	}
}

// TestPoolings lists the tensors by pooling and head.
func TestPoolings(t *testing.T) {
	linear := func(c *Config) { c.Method, c.Blocks, c.Bottleneck, c.Scale, c.Dropout = Linear, nil, 0, 0, 0 }
	for _, c := range []struct {
		change func(*Config)
		names  string
		params int
	}{
		{func(c *Config) { linear(c); c.Pool = PoolCLS }, "head.0.running_mean head.0.running_var head.1.weight head.1.bias", 3*64 + 3},
		{func(c *Config) { linear(c); c.HeadNorm = false }, "head.weight head.bias", 3*128 + 3},
		{func(c *Config) { linear(c); c.Pool, c.HeadNorm = PoolMean, false }, "fc_norm.weight fc_norm.bias head.weight head.bias", 128 + 3*64 + 3},
	} {
		a := tiny(t, c.change)
		if got := strings.Join(a.Names(), " "); got != c.names || a.Parameters() != c.params {
			t.Errorf("%s with %d parameters, expected %s with %d", got, a.Parameters(), c.names, c.params)
		}
	}
	if n := tiny(t, nil).Parameters(); n != 2*(7*64+7+64*7+64)+3*128+3 {
		t.Errorf("%d parameters", n)
	}
}

func TestRoundTrip(t *testing.T) {
	for name, change := range map[string]func(*Config){"default": nil,
		"mean":  func(c *Config) { c.Pool = PoolMean },
		"plain": func(c *Config) { c.HeadNorm = false; c.Task = MultiLabel },
		"options": func(c *Config) {
			c.Placement, c.Norm, c.LearnScale, c.Bottlenecks = Sequential, NormOut, true, []int{3, 7}
		},
		"linear": func(c *Config) { c.Method, c.Blocks, c.Bottleneck, c.Scale = Linear, nil, 0, 0 }} {
		a, err := tiny(t, change).WithRecord(map[string]any{"seed": 3, "val_score": 0.75})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "a.safetensors")
		if err := a.WriteFile(path); err != nil {
			t.Fatal(err)
		}
		b, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a.Config(), b.Config()) || !reflect.DeepEqual(a.tensors, b.tensors) || !bytes.Equal(a.Record(), b.Record()) {
			t.Errorf("%s: %+v, expected %+v", name, b.Config(), a.Config())
		}
		if err := b.CheckBackbone(tinyRef); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCheckBackbone(t *testing.T) {
	other := tinyRef
	other.Fingerprint = strings.Repeat("cd", 32)
	if err := tiny(t, nil).CheckBackbone(other); !errors.Is(err, ErrIncompatible) || !strings.Contains(err.Error(), "cdcdcdcdcdcd") {
		t.Errorf("other weights: %v", err)
	}
	other = tinyRef
	other.Depth = 12
	if err := tiny(t, nil).CheckBackbone(other); !errors.Is(err, ErrIncompatible) {
		t.Errorf("other depth: %v", err)
	}
}

// TestImmutable: what goes in and out is the caller's.
func TestImmutable(t *testing.T) {
	a := tiny(t, nil)
	c := a.Config()
	c.Labels[0], c.Blocks[0] = "changed", 1
	if a.Config().Labels[0] != "good" || a.Config().Blocks[0] != 0 {
		t.Error("the configuration is shared")
	}
	bias := tensor.New(3)
	bias.Data[1] = 5
	b, err := a.WithTensors(map[string]tensor.Tensor{"head.1.bias": bias})
	if err != nil {
		t.Fatal(err)
	}
	bias.Data[1] = 6
	if a.Tensor("head.1.bias").Data[1] != 0 || b.Tensor("head.1.bias").Data[1] != 5 {
		t.Error("tensors are shared")
	}
	if _, err := a.WithTensors(map[string]tensor.Tensor{"head.1.bias": tensor.New(4)}); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("wrong shape: %v", err)
	}
	if _, err := a.WithTensors(map[string]tensor.Tensor{"head.bias": bias}); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("unknown name: %v", err)
	}
	fewer := a.Config()
	fewer.Blocks = []int{2}
	if b, err = a.WithConfig(fewer); err != nil || b.Tensor("blocks.0.adaptmlp.up_proj.bias").Data != nil {
		t.Errorf("fewer blocks: %v", err)
	}
	if _, err = b.WithConfig(a.Config()); !errors.Is(err, tensor.ErrShape) {
		t.Errorf("more blocks: %v", err)
	}
	if _, err := a.WithRecord(math.NaN()); err == nil {
		t.Error("a record that is no JSON was accepted")
	}
}

func TestValidate(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"method":        func(c *Config) { c.Method = "lora" },
		"no blocks":     func(c *Config) { c.Blocks = nil },
		"block range":   func(c *Config) { c.Blocks = []int{3} },
		"block order":   func(c *Config) { c.Blocks = []int{1, 1} },
		"linear blocks": func(c *Config) { c.Method = Linear },
		"bottleneck":    func(c *Config) { c.Bottleneck = 257 },
		"placement":     func(c *Config) { c.Placement = "serial" },
		"norm":          func(c *Config) { c.Norm = "both" },
		"widths":        func(c *Config) { c.Bottlenecks = []int{7} },
		"no width":      func(c *Config) { c.Bottlenecks = []int{7, 0} },
		"widest":        func(c *Config) { c.Bottlenecks = []int{7, 8} },
		"linear scale":  func(c *Config) { c.Method, c.Blocks, c.LearnScale = Linear, nil, true },
		"scale":         func(c *Config) { c.Scale = float32(math.Inf(1)) },
		"dropout":       func(c *Config) { c.Dropout = 1 },
		"dropout nan":   func(c *Config) { c.Dropout = float32(math.NaN()) },
		"pool":          func(c *Config) { c.Pool = "max" },
		"task":          func(c *Config) { c.Task = "" },
		"no labels":     func(c *Config) { c.Labels = nil },
		"empty label":   func(c *Config) { c.Labels[1] = "" },
		"label twice":   func(c *Config) { c.Labels[1] = "good" },
		"size":          func(c *Config) { c.Size = 0 },
		"fit":           func(c *Config) { c.Fit = "pad" },
		"interpolation": func(c *Config) { c.Interpolation = "nearest" },
		"std":           func(c *Config) { c.Std[2] = 0 },
	} {
		c := tinyConfig()
		change(&c)
		if _, err := New(c, tinyRef, 1); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(tinyConfig(), Ref{Depth: 3}, 1); !errors.Is(err, ErrConfig) {
		t.Errorf("no width: %v", err)
	}
}

func encoded(t testing.TB, a *Adapter, change func(map[string]string, *[]checkpoint.Entry)) []byte {
	t.Helper()
	metadata, entries, err := a.encode()
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(metadata, &entries)
	}
	var b bytes.Buffer
	if err := checkpoint.Write(&b, metadata, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestParseRefuses(t *testing.T) {
	set := func(key, value string) func(map[string]string, *[]checkpoint.Entry) {
		return func(m map[string]string, _ *[]checkpoint.Entry) { m[key] = value }
	}
	replace := func(e checkpoint.Entry) func(map[string]string, *[]checkpoint.Entry) {
		return func(_ map[string]string, list *[]checkpoint.Entry) {
			for i := range *list {
				if (*list)[i].Name == e.Name {
					(*list)[i] = e
				}
			}
		}
	}
	values := func(v float32) tensor.Tensor {
		t := tensor.New(128)
		t.Data[9] = v
		return t
	}
	for _, c := range []struct {
		name string
		edit func(map[string]string, *[]checkpoint.Entry)
		is   error
		says string
	}{
		{"kind", set(metaKind, "backbone"), ErrCorrupt, "backbone"},
		{"version", set(metaVersion, "9"), ErrVersion, "9"},
		{"config", set(metaConfig, "]"), ErrCorrupt, "config"},
		{"unknown option", set(metaConfig, `{"method":"linear","gate":true}`), ErrUnsupported, `option "gate"`},
		{"config twice", set(metaConfig, `{"method":"linear"} {}`), ErrCorrupt, "more than one"},
		{"options in version 1", set(metaConfig, `{"method":"adaptformer","learn_scale":true}`), ErrCorrupt, "format 2"},
		{"empty config", set(metaConfig, "{}"), ErrCorrupt, "method"},
		{"backbone", set(metaBackbone, `{"dim":0}`), ErrCorrupt, "width 0"},
		{"width", set(metaBackbone, `{"dim":65,"depth":3}`), ErrCorrupt, "expected [7, 65]"},
		{"record", set(metaRecord, "{"), ErrCorrupt, "record"},
		{"missing", func(_ map[string]string, e *[]checkpoint.Entry) { *e = (*e)[1:] }, ErrCorrupt, "missing"},
		{"extra", func(_ map[string]string, e *[]checkpoint.Entry) {
			*e = append(*e, checkpoint.Float32Entry("x", tensor.New(1)))
		}, ErrCorrupt, "too many"},
		{"dtype", replace(checkpoint.HalfEntry("head.1.bias", tensor.Shape{3}, make([]uint16, 3))), ErrCorrupt, "F16"},
		{"nan", replace(checkpoint.Float32Entry("head.0.running_mean", values(float32(math.NaN())))), ErrCorrupt, "element 9"},
		{"variance", replace(checkpoint.Float32Entry("head.0.running_var", values(-1))), ErrCorrupt, "element 9"},
	} {
		_, err := Parse(encoded(t, tiny(t, nil), c.edit))
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, expected %v that says %q", c.name, err, c.is, c.says)
		}
	}
	if _, err := Parse(encoded(t, tiny(t, nil), nil)); err != nil {
		t.Errorf("control: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encoded(f, tiny(f, nil), nil))
	f.Add(encoded(f, tiny(f, func(c *Config) { c.Pool, c.HeadNorm = PoolMean, false }), nil))
	f.Add(encoded(f, tiny(f, func(c *Config) {
		c.Placement, c.Norm, c.LearnScale, c.Bottlenecks = Sequential, NormIn, true, []int{7, 2}
	}), nil))
	f.Add(encoded(f, withPlugin(f, Plugin{Module: []byte("\x00asm"), TimeMillis: 5}), nil))
	f.Add(encoded(f, tiny(f, nil), func(m map[string]string, _ *[]checkpoint.Entry) {
		m[metaBackbone] = `{"dim":9223372036854775807,"depth":3}`
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrUnsupported) {
				t.Fatalf("%v is none of ErrCorrupt, ErrVersion and ErrUnsupported", err)
			}
			return
		}
		if _, err := Parse(encoded(t, a, nil)); err != nil {
			t.Fatalf("what was read cannot be read back: %v", err)
		}
	})
}

func FuzzImport(f *testing.F) {
	for _, spec := range []string{`{}`, `{"adapter":{"mode":"parallel","bottleneck":7,"ln":"none","scale":0.1,"blocks":[0,2]}}`, `{"adapter":{"blocks":[-1]}}`,
		`{"adapter":{"mode":"sequential","bottleneck":9,"ln":"in","scale":"learnable"},"fc_norm":true}`} {
		_, entries, err := tiny(f, nil).encode()
		if err != nil {
			f.Fatal(err)
		}
		var b bytes.Buffer
		if err := checkpoint.Write(&b, map[string]string{"spec": spec}, entries); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := checkpoint.Parse("fuzz", data)
		if err != nil {
			return
		}
		a, err := importTask(file, tinyRef, nil)
		if err == nil && !json.Valid([]byte(mustConfig(t, a))) {
			t.Fatal("the configuration cannot be written")
		}
		if err != nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
			t.Fatalf("%v is neither ErrCorrupt nor ErrUnsupported", err)
		}
	})
}

func mustConfig(t testing.TB, a *Adapter) string {
	metadata, _, err := a.encode()
	if err != nil {
		t.Fatal(err)
	}
	return metadata[metaConfig]
}
