package model

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// TestInt4Storage: an int4 weight is three tensors in the types of compressed-tensors, and its name alone is none.
func TestInt4Storage(t *testing.T) {
	f, err := checkpoint.Parse("b", encoded(t, tinyBackbone(t, hfFolder(t), quant.Q4G), nil))
	if err != nil {
		t.Fatal(err)
	}
	fc2 := name(1, "mlp.fc2.weight") // [6, 10]
	for suffix, want := range map[string]checkpoint.Info{
		packedSuffix: {DType: checkpoint.I32, Shape: tensor.Shape{6, 2}},
		scaleSuffix:  {DType: checkpoint.F16, Shape: tensor.Shape{6, 1}},
		shapeSuffix:  {DType: checkpoint.I64, Shape: tensor.Shape{2}},
	} {
		if i, err := f.Info(fc2 + suffix); err != nil || i.DType != want.DType || !i.Shape.Equal(want.Shape) {
			t.Errorf("%s is %v (%v), expected %v", suffix, i, err, want)
		}
	}
	if shape, err := f.Int64(fc2 + shapeSuffix); err != nil || shape[0] != 6 || shape[1] != 10 {
		t.Errorf("shape %v, %v", shape, err)
	}
	if f.Has(fc2) {
		t.Errorf("%s is there", fc2)
	}
}

func TestInt4ReadRefuses(t *testing.T) {
	qkv := name(0, "attn.qkv.weight") // [18, 6]
	replace := func(suffix string, e checkpoint.Entry) func(map[string]string, *[]checkpoint.Entry) {
		return func(_ map[string]string, entries *[]checkpoint.Entry) {
			for i := range *entries {
				if (*entries)[i].Name == qkv+suffix {
					e.Name = qkv + suffix
					(*entries)[i] = e
				}
			}
		}
	}
	remove := func(suffix string) func(map[string]string, *[]checkpoint.Entry) {
		return func(_ map[string]string, entries *[]checkpoint.Entry) {
			for i, e := range *entries {
				if e.Name == qkv+suffix {
					*entries = append((*entries)[:i:i], (*entries)[i+1:]...)
					return
				}
			}
		}
	}
	nan := make([]uint16, 18)
	nan[3] = quant.ToF16(float32(math.NaN()))
	b := tinyBackbone(t, hfFolder(t), quant.Q4G)
	for _, c := range []struct {
		name string
		edit func(map[string]string, *[]checkpoint.Entry)
		says string
	}{
		{"scheme without int4", func(m map[string]string, _ *[]checkpoint.Entry) { m[metaScheme] = "q8c" }, qkv},
		{"no shape", remove(shapeSuffix), "weight_shape\" is missing"},
		{"no scales", remove(scaleSuffix), "weight_scale\" is missing"},
		{"no numbers", remove(packedSuffix), "weight_packed\" is missing"},
		{"shape of three", replace(shapeSuffix, checkpoint.Int64Entry("", 18, 6, 1)), "is [3], expected [2]"},
		{"negative shape", replace(shapeSuffix, checkpoint.Int64Entry("", 18, -6)), "[18 -6]"},
		{"vast shape", replace(shapeSuffix, checkpoint.Int64Entry("", 18, math.MaxInt64)), "expected rows and columns"},
		{"other shape", replace(shapeSuffix, checkpoint.Int64Entry("", 6, 18)), "is [6, 18], expected [18, 6]"},
		{"shape as int32", replace(shapeSuffix, checkpoint.WordsEntry("", tensor.Shape{2}, []uint32{18, 6})), "is I32, expected I64"},
		{"groups of 3", replace(scaleSuffix, checkpoint.HalfEntry("", tensor.Shape{18, 2}, make([]uint16, 36))), "groups of 64 columns"},
		{"scales as float32", replace(scaleSuffix, checkpoint.Float32Entry("", tensor.New(18, 1))), "is F32, expected F16"},
		{"scale nan", replace(scaleSuffix, checkpoint.HalfEntry("", tensor.Shape{18, 1}, nan)), "element 3 is NaN"},
		{"short rows", replace(packedSuffix, checkpoint.WordsEntry("", tensor.Shape{9, 1}, make([]uint32, 9))), "is [9, 1], expected [18, 1]"},
		{"numbers as int8", replace(packedSuffix, checkpoint.Int8Entry("", tensor.Shape{18, 1}, make([]int8, 18))), "is I8, expected I32"},
		{"plain weight too", func(_ map[string]string, e *[]checkpoint.Entry) {
			*e = append(*e, checkpoint.Float32Entry(qkv, tensor.New(18, 6)))
		}, "1 tensors too many"},
	} {
		_, err := ReadBackbone(encoded(t, b, c.edit))
		if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, expected ErrCorrupt that says %q", c.name, err, c.says)
		}
	}
	if _, err := ReadBackbone(encoded(t, b, nil)); err != nil {
		t.Errorf("control: %v", err)
	}
}
