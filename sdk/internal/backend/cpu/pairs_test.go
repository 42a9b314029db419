package cpu

import (
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// TestPairs: weights for the product of pairs are recognised by the sets that have it, others by none, and either product has the
// same bits.
func TestPairs(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		without := *set
		without.Pairs = nil
		for _, size := range [][3]int{{1, 1, 1}, {2, 7, 13}, {5, 16, 64}, {37, 65, 197}, {197, 300, 530}} {
			m, n, k := size[0], size[1], size[2]
			r := rand.New(rand.NewPCG(uint64(n), uint64(k)))
			values, x, bias := normal(r, n*k), normal(r, m*k), normal(r, n)
			matrix, err := quant.QuantizePairs(values, n, k)
			if err != nil {
				t.Fatal(err)
			}
			for _, block := range []int{quant.ActivationBlock, quant.PerToken} {
				got, fast := int8Layer(t, set, matrix, x, bias, block)
				want, slow := int8Layer(t, &without, matrix, x, bias, block)
				if fast != (set.Pairs != nil) || slow {
					t.Errorf("%v: pairs are used: %t, the set has them: %t; without the product: %t", size, fast, set.Pairs != nil, slow)
				}
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("%v, block %d: [%d] is %v, expected %v", size, block, i, got[i], want[i])
					}
				}
			}
			if k == 1 {
				continue
			}
			// One pair beyond the limit, in the last row.
			matrix.Int8[(n-1)*k+k/2/2*2], matrix.Int8[(n-1)*k+k/2/2*2+1] = -quant.MaxPair/2, -quant.MaxPair/2-1
			if _, fast := int8Layer(t, set, matrix, x, bias, quant.PerToken); fast {
				t.Errorf("%v: a pair of %d is taken for one that cannot saturate", size, -quant.MaxPair-1)
			}
		}
	})
}

// int8Layer is a layer's result, and whether it took the product of pairs.
func int8Layer(t *testing.T, set *simd.Set, matrix quant.Matrix, x, bias []float32, block int) (y []float32, pairs bool) {
	t.Helper()
	d := mustOpen(t, 2, set)
	defer d.pool.close()
	packed, err := pack(matrix, set)
	if err != nil {
		t.Fatal(err)
	}
	w, err := d.NewWeight("w", matrix)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.NewBuffer("bias", len(bias))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(0, bias); err != nil {
		t.Fatal(err)
	}
	l := &layer{d: d, m: len(x) / matrix.Cols, n: matrix.Rows, k: matrix.Cols, x: x}
	e, v := l.compile(t, "x", l.k, func(r *backend.Recorder, x backend.Value) backend.Value {
		return r.Linear(x, backend.Frozen{W: w, Bias: b, Block: block})
	})
	y = run(t, e, v, l.m*l.n)
	for _, c := range []interface{ Close() error }{e, w, b} {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	return y, packed.pairs
}
