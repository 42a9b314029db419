package backendtest

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

func testLifecycle(t *testing.T, s suite) {
	t.Run("buffer", func(t *testing.T) { testBuffer(t, s.be) })
	t.Run("buffer of halves", func(t *testing.T) { testHalfBuffer(t, s.be) })
	t.Run("weight", func(t *testing.T) { testWeight(t, s.be) })
	t.Run("executable", func(t *testing.T) { testExecutable(t, s.be) })
	t.Run("cancel", func(t *testing.T) { testCancel(t, s.be) })
	t.Run("two goroutines", func(t *testing.T) { testTwoGoroutines(t, s.be) })
	t.Run("reuse", func(t *testing.T) { s.reuse(t) })
}

func wantError(t *testing.T, what string, err, is error) {
	t.Helper()
	if err == nil || is != nil && !errors.Is(err, is) {
		t.Errorf("%s: error %v, expected %v", what, err, is)
	}
}

func testBuffer(t *testing.T, be backend.Backend) {
	before := be.MemoryInUse()
	b, err := be.NewBuffer("b", 7)
	if err != nil {
		t.Fatal(err)
	}
	if n := be.MemoryInUse() - before; n < 4*7 || b.Len() != 7 {
		t.Errorf("%d elements, %d bytes more in use", b.Len(), n)
	}
	got := make([]float32, 7)
	if err := errors.Join(b.Write(2, []float32{1, -2.5, 3}), b.Read(0, got)); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "zeroed and written", got, []float32{0, 0, 1, -2.5, 3, 0, 0})
	if err := b.Read(3, got[:2]); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "part", got[:2], []float32{-2.5, 3})
	wantError(t, "write past the end", b.Write(5, []float32{1, 2, 3}), nil)
	wantError(t, "read before the start", b.Read(-1, got[:1]), nil)
	for range 2 {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	}
	wantError(t, "read after close", b.Read(0, got), backend.ErrClosed)
	wantError(t, "write after close", b.Write(0, got), backend.ErrClosed)
	if n := be.MemoryInUse(); n != before {
		t.Errorf("%d bytes more in use after close", n-before)
	}
}

func testWeight(t *testing.T, be backend.Backend) {
	before := be.MemoryInUse()
	x := []float32{1, 2, 3, 4, 5, 6}
	m := quant.Matrix{Scheme: quant.F32, Rows: 2, Cols: 3, Float: x}
	w, err := be.NewWeight("w", m)
	if err != nil {
		t.Fatal(err)
	}
	if w.Rows() != 2 || w.Cols() != 3 || be.MemoryInUse() == before {
		t.Errorf("[%d, %d], %d bytes more in use", w.Rows(), w.Cols(), be.MemoryInUse()-before)
	}
	g := newGraph(t, be, 0)
	g.read("y", g.Linear(g.input("x", []float32{1, 10, 100}, 1, 3), backend.Frozen{W: w, Bias: g.buffer("bias", []float32{0, 0.5})}))
	clear(x) // the device has its own copy
	exec, prog := g.compile()
	sameBits(t, "y", g.once(exec, prog).tensors["y"].Data, []float32{321, 654.5})
	g.must(exec.Close())
	g.release()
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if n := be.MemoryInUse(); n != before {
		t.Errorf("%d bytes more in use after close", n-before)
	}
}

func testExecutable(t *testing.T, be backend.Backend) {
	g := newGraph(t, be, 0)
	x := g.input("x", []float32{1, 2, 3}, 1, 3)
	key := g.InputInts("unused", 1)
	middle := g.Scale(x, 2)
	y := g.Scale(middle, 0.5)
	g.read("y", y)
	before := be.MemoryInUse()
	exec, prog := g.compile()
	if n := be.MemoryInUse() - before; exec.Bytes() <= 0 || n < exec.Bytes() {
		t.Errorf("%d bytes, %d more in use", exec.Bytes(), n)
	}
	sameBits(t, "y", g.once(exec, prog).tensors["y"].Data, []float32{1, 2, 3})
	three := make([]float32, 3)
	wantError(t, "write of two elements", exec.WriteFloats(x, three[:2]), tensor.ErrShape)
	wantError(t, "read of two elements", exec.ReadFloats(y, three[:2]), tensor.ErrShape)
	wantError(t, "write to a temporary", exec.WriteFloats(middle, three), nil)
	wantError(t, "read of a temporary", exec.ReadFloats(middle, three), nil)
	wantError(t, "integers for floats", exec.WriteInts(x, make([]int32, 3)), nil)
	wantError(t, "floats for integers", exec.WriteFloats(key, three[:1]), nil)
	wantError(t, "no value", exec.ReadFloats(backend.None, nil), nil)
	wantError(t, "unknown value", exec.ReadFloats(99, three), nil)
	ctx := context.Background()
	g.must(exec.Run(ctx)) // an input keeps its contents
	g.must(exec.ReadFloats(y, three))
	sameBits(t, "y again", three, []float32{1, 2, 3})
	for range 2 {
		g.must(exec.Close())
	}
	wantError(t, "run after close", exec.Run(ctx), backend.ErrClosed)
	wantError(t, "write after close", exec.WriteFloats(x, three), backend.ErrClosed)
	wantError(t, "read after close", exec.ReadFloats(y, three), backend.ErrClosed)
	g.release()
}

func testCancel(t *testing.T, be backend.Backend) {
	g := newGraph(t, be, 0)
	g.Add(g.items("x", 1, 65), g.items("y", 1, 65))
	exec, _ := g.compile()
	defer exec.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	wantError(t, "cancelled run", exec.Run(ctx), context.Canceled)
	if err := exec.Run(context.Background()); err != nil {
		t.Errorf("run after a cancelled one: %v", err)
	}
}

// testTwoGoroutines runs two Executables that share weights, each from its own goroutine, while a third reads a buffer.
func testTwoGoroutines(t *testing.T, be backend.Backend) {
	const rounds = 5
	g := newGraph(t, be, 0)
	f := g.frozen("w", quant.Q8C, 37, 64)
	var wait sync.WaitGroup
	for i := range 2 {
		h := newGraph(t, be, i)
		y := h.Linear(h.items("x", 7, 7, 64), f)
		h.read("y", y)
		exec, prog := h.compile()
		defer exec.Close()
		want := h.once(exec, prog).tensors["y"].Data
		wait.Go(func() {
			got := make([]float32, len(want))
			for range rounds {
				if err := errors.Join(exec.Run(context.Background()), exec.ReadFloats(y, got)); err != nil {
					t.Error(err)
					return
				}
				sameBits(t, "y", got, want)
			}
		})
	}
	wait.Go(func() {
		bias := make([]float32, 37)
		for range rounds {
			if err := f.Bias.Read(0, bias); err != nil {
				t.Error(err)
			}
		}
		sameBits(t, "bias", bias, normal("w.bias", 0, 37))
	})
	wait.Wait()
	t.Cleanup(g.release) // after the executables
}

// reuse runs a long chain whose temporaries share memory; every fourth link is an output and must survive.
func (s suite) reuse(t *testing.T) {
	s.check(t, "chain", func(g *graph) {
		const m = 7
		x := g.items("x", m, m, 37)
		for i := range 12 {
			width := []int{64, 5, 197, 37}[i%4]
			y := g.Affine(x, g.param("w", width, g.Shape(x)[1]), g.param("b", width))
			x = g.Scale(y, 1/sqrt(g.Shape(x)[1]))
			if i%4 == 2 {
				g.read(string(rune('a'+i)), y)
			}
		}
		g.read("last", x)
	})
}

// testHalfBuffer: what is read back is what was written, rounded to the nearest half.
func testHalfBuffer(t *testing.T, be backend.Backend) {
	const size = 5000
	before := be.MemoryInUse()
	b, err := be.NewHalfBuffer("b", size)
	if err != nil {
		t.Fatal(err)
	}
	if n := be.MemoryInUse() - before; n < 2*size || n >= 3*size || b.Len() != size || b.Type() != backend.F16 {
		t.Errorf("%d elements of %v, %d bytes more in use", b.Len(), b.Type(), n)
	}
	got := make([]float32, 6)
	if err := errors.Join(b.Write(64, []float32{1, -2.5, 1 + 0x1p-11, 1 + 0x1p-10, 0.1}), b.Read(63, got)); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "zeroed, written and rounded", got, []float32{0, 1, -2.5, 1, 1 + 0x1p-10, 0x1.998p-4})
	if err := b.Write(size-1, got[:2]); err == nil {
		t.Error("a write past the end passes")
	}
	r := backend.NewRecorder()
	r.Scale(r.Param("halves", b, 0, size), 2)
	if _, err := r.Finish(); err == nil {
		t.Error("an operator for float32 takes a buffer of halves")
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if n := be.MemoryInUse(); n != before {
		t.Errorf("%d bytes in use after closing, %d before", n, before)
	}
	_, err = be.NewHalfBuffer("b", 0)
	wantError(t, "no elements", err, tensor.ErrShape)
}

// testClosed expects that a closed device makes nothing any more.
func testClosed(t *testing.T, be backend.Backend) {
	_, err := be.NewBuffer("b", 1)
	wantError(t, "buffer of a closed device", err, backend.ErrClosed)
	_, err = be.NewHalfBuffer("b", 1)
	wantError(t, "buffer of halves of a closed device", err, backend.ErrClosed)
	_, err = be.NewWeight("w", quant.Matrix{Scheme: quant.F32, Rows: 1, Cols: 1, Float: []float32{1}})
	wantError(t, "weight of a closed device", err, backend.ErrClosed)
	r := backend.NewRecorder()
	r.Scale(r.Input("x", 1), 2)
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	_, err = be.Compile(p)
	wantError(t, "executable of a closed device", err, backend.ErrClosed)
}
