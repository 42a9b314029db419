package cpu

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// tolerance is some ten roundings of float32 for sums of a few hundred terms; tanh-GELU would be 4.7e-4 away.
const tolerance = 2e-6

// forEachSet runs f with every instruction set of this machine.
func forEachSet(t *testing.T, f func(t *testing.T, set *simd.Set)) {
	for _, set := range simd.All() {
		t.Run(set.Name, func(t *testing.T) { f(t, set) })
	}
}

func mustOpen(t testing.TB, threads int, set *simd.Set) *device {
	t.Helper()
	d, err := open(Options{Threads: threads}, set)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSuite(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		backendtest.Run(t, func(t *testing.T) backend.Backend { return mustOpen(t, 3, set) }, tolerance)
	})
}

// TestSuiteWithoutInt4: a set that has no int4 product multiplies rounded activations in float32.
func TestSuiteWithoutInt4(t *testing.T) {
	set := *simd.All()[0]
	set.GemmInt4, set.QuantizeTerms, set.WidenInt4 = nil, nil, nil
	backendtest.Run(t, func(t *testing.T) backend.Backend { return mustOpen(t, 2, &set) }, tolerance)
}

// TestSuiteWithoutInt8: int8 layers of a set that has no product for them are the reference's; int8 gradients are refused.
func TestSuiteWithoutInt8(t *testing.T) {
	set := *simd.All()[0]
	set.GemmInt8, set.Quantize = nil, nil
	backendtest.Run(t, func(t *testing.T) backend.Backend { return mustOpen(t, 2, &set) }, tolerance,
		"linear_int8", "int8_sums", "int8_values", "linear_bwd_x_int8", "block")
}

// TestAttentionMemory: what attention takes grows with the tokens, not with their square.
func TestAttentionMemory(t *testing.T) {
	d := mustOpen(t, 1, simd.All()[0])
	defer d.Close()
	size := func(tokens int) int64 {
		r := backend.NewRecorder()
		o, _ := r.Attention(r.Input("qkv", tokens, 3*64), backend.Heads{Batch: 1, Tokens: tokens, Count: 1})
		r.Output(o, "o")
		p, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		e, err := d.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		return e.Bytes()
	}
	if one, four := size(1024), size(4096); four > 4*one {
		t.Errorf("1024 tokens take %d bytes, 4096 take %d: more than four times as many", one, four)
	}
}

func TestNew(t *testing.T) {
	t.Run("chosen set", func(t *testing.T) {
		forEachSet(t, func(t *testing.T, set *simd.Set) {
			t.Setenv(InstructionSetVariable, set.Name)
			be, err := New(Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer be.Close()
			if i := be.Info(); i.ID != "cpu" || i.Kind != "cpu" || i.Driver != set.Name || i.Name == "" {
				t.Errorf("got %+v", i)
			}
		})
	})
	t.Run("unknown set", func(t *testing.T) {
		t.Setenv(InstructionSetVariable, "mmx")
		if _, err := New(Options{}); !errors.Is(err, simd.ErrUnsupported) {
			t.Errorf("got %v, expected ErrUnsupported", err)
		}
	})
	t.Run("negative threads", func(t *testing.T) {
		if _, err := New(Options{Threads: -1}); err == nil {
			t.Error("expected an error")
		}
	})
}

// TestPool: each task runs once, and no worker is in two tasks at a time.
func TestPool(t *testing.T) {
	for _, threads := range []int{1, 2, 5} {
		p := newPool(threads, simd.All()[0])
		busy := make([]atomic.Bool, threads)
		for _, n := range []int{0, 1, 2, 7, 1000} {
			count := make([]int, n)
			p.run(n, func(w *worker, i int) {
				if busy[w.id].Swap(true) {
					t.Errorf("worker %d is in two tasks", w.id)
				}
				count[i]++
				busy[w.id].Store(false)
			})
			for i, c := range count {
				if c != 1 {
					t.Errorf("%d threads: task %d of %d ran %d times", threads, i, n, c)
				}
			}
		}
		p.close()
		p.close()
	}
}
