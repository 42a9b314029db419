//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"context"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

func floats(x ...float32) []byte {
	p := make([]byte, 0, 4*len(x))
	for _, v := range x {
		p = binary.LittleEndian.AppendUint32(p, math.Float32bits(v))
	}
	return p
}

// push is axpy's push constants.
func push(n int, alpha float32) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), floats(alpha)...)
}

// ramp is n distinct values whose products and sums are exact.
func ramp(n int, step float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = step * float32(i%1000+1)
	}
	return x
}

// kernel compiles the pinned variant of "name/VARIANT", or the one that needs nothing of "name".
func kernel(t testing.TB, d *vulkan.Device, name string) *vulkan.Kernel {
	t.Helper()
	desc, err := pick(d, name)
	if err != nil {
		t.Fatal(err)
	}
	k, err := d.NewKernel(desc, nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func pick(d *vulkan.Device, name string) (*shaders.Kernel, error) {
	var has shaders.Feature
	if strings.Contains(name, "/") {
		has = d.Info().Supported
	}
	return shaders.Pick(name, has)
}

// buffer makes a buffer that holds x.
func buffer(t testing.TB, d *vulkan.Device, name string, m vulkan.Memory, x []float32) *vulkan.Buffer {
	t.Helper()
	b, err := d.NewBuffer(name, 4*len(x), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(0, floats(x...)); err != nil {
		t.Fatal(err)
	}
	return b
}

func whole(b *vulkan.Buffer) vulkan.Range { return vulkan.Range{Buffer: b, Size: b.Size()} }

func groups(n int) uint32 { return uint32((n + 63) / 64) }

// finish ends a recording that must be right.
func finish(t testing.TB, r *vulkan.Recorder) *vulkan.Recording {
	t.Helper()
	rec, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func run(t testing.TB, rec *vulkan.Recording) {
	t.Helper()
	if err := rec.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// expect compares the whole buffer with want, bit for bit.
func expect(t testing.TB, b *vulkan.Buffer, want func(i int) float32) {
	t.Helper()
	p := make([]byte, b.Size())
	if err := b.Read(0, p); err != nil {
		t.Fatal(err)
	}
	for i := range b.Size() / 4 {
		got := math.Float32frombits(binary.LittleEndian.Uint32(p[4*i:]))
		if got != want(i) {
			t.Fatalf("element %d of %d is %g, expected %g", i, b.Size()/4, got, want(i))
		}
	}
}
