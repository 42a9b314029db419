//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"errors"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
)

// TestLimits: on a device that binds little at once, or has memory in small pieces only, temporaries are divided among several
// buffers and the results are right; what cannot be divided is refused by its size and the limit.
func TestLimits(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	const limit = 64 << 10
	for name, l := range map[string][2]int{"binding": {limit, 0}, "piece": {0, limit}} {
		c.Limits(l[0], l[1])
		d := openHere(t, Options{Untested: true, Safe: true}) // kernels that bind whole weights: views of texels have a limit of their own
		if got := d.dev.Info().Limits.BufferBytes(); got > limit || got < limit/2 {
			t.Fatalf("%s: buffers of %d bytes, the limit is %d", name, got, limit)
		}
		const n = 4096 // 16 KiB; eight of them live at once
		r := backend.NewRecorder()
		x := r.Input("x", n)
		var parts []backend.Value
		for i := range 8 {
			parts = append(parts, r.Scale(x, float32(i+1)))
		}
		sum := parts[0]
		for _, p := range parts[1:] {
			sum = r.Add(sum, p)
		}
		r.Output(sum, "y")
		p, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		e, err := d.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(e.(*executable).arenas); got < 2 {
			t.Errorf("%s: %d arena for 128 KiB", name, got)
		}
		in, y := make([]float32, n), make([]float32, n)
		for i := range in {
			in[i] = float32(i)
		}
		if err := errors.Join(e.WriteFloats(x, in), e.Run(context.Background()), e.ReadFloats(sum, y)); err != nil {
			t.Fatal(err)
		}
		for i, v := range y {
			if v != 36*float32(i) {
				t.Fatalf("%s: y[%d] is %g, expected %d", name, i, v, 36*i)
			}
		}
		r = backend.NewRecorder()
		r.Output(r.Scale(r.Scale(r.Input("x", limit/2), 2), 2), "y") // 128 KiB each
		if p, err = r.Finish(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Compile(p); !errors.Is(err, backend.ErrOutOfMemory) {
			t.Errorf("%s: a value of 128 KiB: %v", name, err)
		}
		refusesWeight(t, d, name)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if n := d.MemoryInUse(); n != 0 {
			t.Errorf("%s: %d bytes in use", name, n)
		}
		d.Close()
	}
}

// refusesWeight: a matrix of 256 KiB fits no buffer that could be bound.
func refusesWeight(t *testing.T, d *device, name string) {
	t.Helper()
	m, err := quant.Quantize(quant.F32, make([]float32, 256*256), 256, 256)
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.NewWeight("w", m)
	if err == nil {
		defer w.Close()
		bias, e := d.NewBuffer("bias", 256)
		if e != nil {
			t.Fatal(e)
		}
		defer bias.Close()
		r := backend.NewRecorder()
		r.Output(r.Linear(r.Input("x", 1, 256), backend.Frozen{W: w, Bias: bias}), "y")
		p, e := r.Finish()
		if e != nil {
			t.Fatal(e)
		}
		_, err = d.Compile(p)
	}
	if !errors.Is(err, backend.ErrOutOfMemory) && !errors.Is(err, vulkan.ErrUnsupported) {
		t.Errorf("%s: a weight of 256 KiB: %v", name, err)
	}
}
