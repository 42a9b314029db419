// Package golden reads golden tensors for tests and says how far a result is from them.
package golden

import (
	"io/fs"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// File is a file of golden tensors. What is missing or damaged fails the test.
type File struct {
	t testing.TB
	f *checkpoint.File
}

// Open reads a safetensors file of fsys, for example a testdata folder that is embedded or behind os.DirFS.
func Open(t testing.TB, fsys fs.FS, path string) File {
	t.Helper()
	data, err := fs.ReadFile(fsys, path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := checkpoint.Parse(path, data)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return File{t, f}
}

// Floats returns a tensor as float32; it must not be modified.
func (f File) Floats(name string) tensor.Tensor {
	f.t.Helper()
	x, err := f.f.Float32(name)
	if err != nil {
		f.t.Fatal(err)
	}
	return x
}

// Ints returns a tensor of small whole numbers: labels.
func (f File) Ints(name string) []int32 {
	f.t.Helper()
	x := f.Floats(name)
	v := make([]int32, len(x.Data))
	for i := range v {
		v[i] = int32(x.Data[i])
	}
	return v
}
