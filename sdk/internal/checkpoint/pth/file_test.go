package pth

import (
	"archive/zip"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// goldens are files that PyTorch wrote; see the README there.
const goldens = "../../nn/testdata"

func openGolden(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(filepath.Join(goldens, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// read returns a tensor of any container.
func read(t *testing.T, f checkpoint.Tensors, name string) tensor.Tensor {
	t.Helper()
	x, err := f.Float32(name)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestContainers: both containers, with and without training state around the model, give the very values that the
// safetensors file has; float16 gives them rounded.
func TestContainers(t *testing.T) {
	want, err := checkpoint.Open(filepath.Join(goldens, "vit_mean/timm/model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	for name, tolerance := range map[string]float64{"mae_full.pth": 0, "mae_legacy.pth": 0, "mae_half.pth": 0x1p-11} {
		f := openGolden(t, "vit_mean/"+name)
		compared := 0
		for _, key := range want.Names() {
			if !f.Has(key) {
				continue // fc_norm and head are in the safetensors file only
			}
			w, got := read(t, want, key), read(t, f, key)
			if !got.Shape.Equal(w.Shape) {
				t.Fatalf("%s: %s is %v, expected %v", name, key, got.Shape, w.Shape)
			}
			for i, v := range got.Data {
				if d := math.Abs(float64(v - w.Data[i])); d > tolerance*math.Abs(float64(w.Data[i]))+tolerance*0x1p-14 {
					t.Fatalf("%s: %s[%d] is %g, expected %g", name, key, i, v, w.Data[i])
				}
			}
			compared++
		}
		if compared != 28 || len(f.Names()) != 30 {
			t.Errorf("%s: compared %d of %d tensors, expected 28 of 30", name, compared, len(f.Names()))
		}
	}
}

// TestSharedStorage: q, k and v are views of one storage, one behind the other.
func TestSharedStorage(t *testing.T) {
	f := openGolden(t, "vit/split_qkv.pth")
	want, err := checkpoint.Open(filepath.Join(goldens, "vit/timm/model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	fused := read(t, want, "blocks.1.attn.qkv.weight").Data
	for i, part := range []string{"q", "k", "v"} {
		got := read(t, f, "blocks.1.attn."+part+"_proj.weight").Data
		if n := len(fused) / 3; !slices.Equal(got, fused[i*n:(i+1)*n]) {
			t.Errorf("%s_proj differs", part)
		}
	}
}

func TestStrides(t *testing.T) {
	for _, c := range []struct {
		name          string
		offset        int32
		shape, stride []int32
		want          []float32
	}{
		{"rows", 4, []int32{2, 4}, []int32{4, 1}, []float32{4, 5, 6, 7, 8, 9, 10, 11}},
		{"transposed", 0, []int32{2, 3}, []int32{1, 4}, []float32{0, 4, 8, 1, 5, 9}},
		{"every other", 1, []int32{3}, []int32{4}, []float32{1, 5, 9}},
		{"repeated", 7, []int32{2, 2}, []int32{0, 1}, []float32{7, 8, 7, 8}},
		{"scalar", 11, nil, nil, []float32{11}},
		{"extent of one with any stride", 11, []int32{1, 1}, []int32{99, 1}, []float32{11}},
	} {
		f, err := parse(container(t, one(c.offset, c.shape, c.stride)))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := read(t, f, "w"); !slices.Equal(got.Data, c.want) {
			t.Errorf("%s: %v, expected %v", c.name, got.Data, c.want)
		}
	}
}

// TestDTypes stores one number in every type.
func TestDTypes(t *testing.T) {
	for class, data := range map[string]string{
		"FloatStorage": "\x00\x00\x40\x40", "HalfStorage": "\x00\x42", "BFloat16Storage": "\x40\x40", "DoubleStorage": "\x00\x00\x00\x00\x00\x00\x08\x40",
		"LongStorage": "\x03\x00\x00\x00\x00\x00\x00\x00", "IntStorage": "\x03\x00\x00\x00", "ShortStorage": "\x03\x00", "CharStorage": "\x03", "ByteStorage": "\x03",
	} {
		pickle := newProgram().op("}").text("w").tensor(class, "k", 1, 0, nil, nil).op("s.").Bytes()
		f, err := parse(zipFile(t, entry{"data.pkl", pickle, zip.Store}, entry{"data/k", []byte(data), zip.Store}))
		if err != nil {
			t.Fatal(class, err)
		}
		if got := read(t, f, "w"); len(got.Shape) != 0 || !slices.Equal(got.Data, []float32{3}) {
			t.Errorf("%s: %v", class, got)
		}
	}
}

// TestStateDict finds the tensors below what training programs put around them.
func TestStateDict(t *testing.T) {
	tensorOp := func(p *program) *program { return p.tensor("FloatStorage", "0", 12, 0, []int32{2}, []int32{1}) }
	state := func(p *program, name string) *program { return tensorOp(p.op("}").text(name)).op("s") }
	for name, p := range map[string]*program{
		"plain":          state(newProgram(), "w"),
		"model":          state(newProgram().op("}").text("model"), "w").op("s"),
		"state_dict":     state(newProgram().op("}").text("epoch").integer(3).op("s").text("state_dict"), "w").op("s"),
		"nested":         state(newProgram().op("}").text("state_dict").op("}").text("model"), "w").op("ss"),
		"data parallel":  state(newProgram().op("}").text("model"), "module.w").op("s"),
		"parameter":      tensorOp(newProgram().op("}").text("w").global("torch._utils", "_rebuild_parameter").op("(")).op("\x88)tRs"),
		"attributes":     state(newProgram(), "w").op("}").text("_metadata").op("Nsb"),
		"unknown beside": state(newProgram().op("}").text("args").global("my.pkg", "Config").op(")\x81}").text("x").op("Nsbs").text("model"), "w").op("s"),
		"recent opcodes": state(newProgram().op("\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01l](K\x01M\x02\x00J\x03\x00\x00\x00\x8a\x01\xffe\x94s\x8c\x05model"), "w").op("s"),
	} {
		f, err := parse(container(t, p.op(".").Bytes()))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := read(t, f, "w"); !slices.Equal(got.Data, []float32{0, 1}) {
			t.Errorf("%s: %v", name, got)
		}
		if _, err := f.Float32("v"); !errors.Is(err, checkpoint.ErrNoTensor) {
			t.Errorf("%s: missing tensor: %v", name, err)
		}
	}
}

func TestCloseTwice(t *testing.T) {
	f := openGolden(t, "vit_mean/mae_half.pth")
	for range 2 {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
