//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
)

// TestLimits: on a device that binds little at once, or has memory in small pieces only, temporaries are divided among several
// buffers, weights are in parts, and the results are right; what cannot be divided is refused by its size and the limit.
func TestLimits(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	const limit = 64 << 10
	cases := layersOf(t, openHere(t, Options{Untested: true, Safe: true}))
	for name, l := range map[string][2]int{"binding": {limit, 0}, "piece": {0, limit}} {
		c.Limits(l[0], l[1], 0)
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
		inParts(t, d, cases)
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if n := d.MemoryInUse(); n != 0 {
			t.Errorf("%s: %d bytes in use", name, n)
		}
		d.Close()
		if live := c.Live(); live != "" {
			t.Errorf("%s: left %s", name, live)
		}
	}
}

// layersOf are results of layers on a device, which it closes.
func layersOf(t *testing.T, d *device) map[partsCase][][]float32 {
	t.Helper()
	all := map[partsCase][][]float32{}
	for _, c := range []partsCase{{quant.Q8C, quant.ActivationBlock, 7, 257, 640, false}, {quant.F16, 0, 7, 257, 160, false}, {quant.F32, 0, 37, 197, 67, false}} {
		var err error
		if all[c], err = c.run(d, func(*weight) {}); err != nil {
			t.Fatalf("%s: %v", c, err)
		}
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	return all
}

// inParts holds layers whose weights d cannot bind, or hold in one piece, to the bits of another device.
func inParts(t *testing.T, d *device, cases map[partsCase][][]float32) {
	t.Helper()
	for c, want := range cases {
		n := 0
		got, err := c.run(d, func(w *weight) { n = len(w.parts) })
		if err != nil || n < 2 {
			t.Errorf("%s, %d parts: %v", c, n, err)
		} else if at := c.differs(got, want); at != "" {
			t.Errorf("%s, %d parts: %s", c, n, at)
		}
	}
}

// TestFewTexels: where texels do not reach as far as storage buffers, kernels with texels are left alone.
func TestFewTexels(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	const n, k, m = 68, 64, 1100 // x is of 17,600 texels
	bytes := openHere(t, Options{Untested: true}).dev.Info().Limits.StorageRange
	for texels, want := range map[int]bool{0: true, bytes / 16: true, bytes/16 - 1: false, 1 << 14: false} {
		c.Limits(0, 0, texels)
		d := openHere(t, Options{Untested: true})
		y, used, err := runLayer(d, n, k, m)
		if err != nil || strings.Contains(used, "TEXEL") != want || slices.ContainsFunc(y, func(v float32) bool { return v != 133*k/4 }) {
			t.Errorf("%d texels: used %s, %v", texels, used, err)
		}
	}
}

// refusesWeight: 64 rows of a matrix of 256 KiB, the least that a part can be, fit no buffer that could be bound.
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
