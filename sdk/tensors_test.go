package sdk_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk"
)

func TestTensorFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	want := sdk.Tensor{Shape: []int{2, 3}, Data: []float32{1, -2, 3, 0, 5, 1e-30}}
	if err := sdk.WriteTensors(path, map[string]sdk.Tensor{"b": want, "a": {Shape: []int{1}, Data: []float32{7}}}, map[string]string{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	got, err := sdk.ReadTensor(path, "b")
	if err != nil || !got.Shape.Equal(want.Shape) || !slices.Equal(got.Data, want.Data) {
		t.Errorf("read %v, %v", got, err)
	}
	list, meta, err := sdk.ListTensors(path)
	if err != nil || len(list) != 2 || meta["k"] != "v" {
		t.Fatalf("listed %v, %v, %v", list, meta, err)
	}
	if b := list[1]; b.Name != "b" || b.DType != "F32" || !slices.Equal(b.Shape, []int{2, 3}) || b.Bytes != 24 {
		t.Errorf("listed %+v", b)
	}
	if _, err := sdk.ReadTensor(path, "c"); !errors.Is(err, sdk.ErrNoTensor) {
		t.Errorf("a tensor that is not there: %v", err)
	}
	short := map[string]sdk.Tensor{"x": {Shape: []int{2, 2}, Data: []float32{1}}}
	if err := sdk.WriteTensors(path, short, nil); !errors.Is(err, sdk.ErrShape) {
		t.Errorf("too few elements: %v", err)
	}
	if err := os.Truncate(path, 40); err != nil {
		t.Fatal(err)
	}
	if _, err := sdk.ReadTensor(path, "b"); !errors.Is(err, sdk.ErrCorrupt) {
		t.Errorf("truncated: %v", err)
	}
	if _, _, err := sdk.ListTensors(path); !errors.Is(err, sdk.ErrCorrupt) {
		t.Errorf("truncated: %v", err)
	}
}
