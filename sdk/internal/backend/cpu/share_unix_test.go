//go:build unix

package cpu

import (
	"context"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// BenchmarkShare is the share of a bare loop's speed that the frozen layers of a ViT-S and a ViT-B reach on one thread at
// 197 tokens: the microkernel on one tile in the cache and as many products, in turn with the layer, so that whatever
// slows the machine slows both; by processor time. An int8 layer rounds its activations as well.
func BenchmarkShare(b *testing.B) {
	const tokens = 197
	set := simd.All()[0]
	for _, kind := range []struct {
		name   string
		scheme quant.Scheme
		block  func(k int) int
		bare   func(set *simd.Set, k int) (func(), int)
	}{
		{"float32", quant.F32, func(int) int { return 0 }, bareFloat},
		{"int8/token", quant.Q8C, func(k int) int { return k }, bareInt8},
		{"int8/64", quant.Q8C, func(int) int { return 64 }, bareInt8},
	} {
		for _, d := range []int{384, 768} {
			for _, s := range [][2]int{{d, 3 * d}, {d, d}, {d, 4 * d}, {4 * d, d}} {
				b.Run(fmt.Sprintf("%s/in=%d/out=%d", kind.name, s[0], s[1]), func(b *testing.B) {
					if kind.block(64) > 0 && set.GemmInt8 == nil {
						b.Skip("the set has no int8 product")
					}
					bare, products := kind.bare(set, s[0])
					benchmarkShare(b, set, kind.scheme, kind.block(s[0]), tokens, s[1], s[0], bare, products)
				})
			}
		}
	}
}

func benchmarkShare(b *testing.B, set *simd.Set, scheme quant.Scheme, block, m, n, k int, bare func(), products int) {
	d := mustOpen(b, 1, set)
	defer d.pool.close()
	l := newLayer(b, d, scheme, m, n, k)
	if err := l.check(b, l.matrix, m*n/100); err != nil {
		b.Fatal(err)
	}
	e := l.forward
	if block > 0 {
		e = l.rounded(b, block)
		defer e.Close()
	}
	var shares []float64
	for b.Loop() {
		start := processorTime(b)
		if err := e.Run(context.Background()); err != nil {
			b.Fatal(err)
		}
		middle := processorTime(b)
		for done := 0; done < m*n*k; done += products {
			bare()
		}
		shares = append(shares, float64(processorTime(b)-middle)/float64(middle-start))
	}
	slices.Sort(shares)
	b.ReportMetric(100*shares[len(shares)/2], "%of-bare-loop")
}

// processorTime is what this process has used, in microseconds.
func processorTime(t testing.TB) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return (int64(u.Utime.Sec)+int64(u.Stime.Sec))*1e6 + int64(u.Utime.Usec) + int64(u.Stime.Usec)
}

// rounded is l's forward layer with int8 activations.
func (l *layer) rounded(t testing.TB, block int) backend.Executable {
	w, err := l.d.NewWeight("w", l.matrix)
	if err != nil {
		t.Fatal(err)
	}
	buffer, err := l.d.NewBuffer("bias", l.n)
	if err != nil {
		t.Fatal(err)
	}
	e, _ := l.compile(t, "x", l.k, func(r *backend.Recorder, x backend.Value) backend.Value {
		return r.Linear(x, backend.Frozen{W: w, Bias: buffer, Block: block})
	})
	t.Cleanup(func() { w.Close(); buffer.Close() })
	return e
}

// bareFloat is the float32 microkernel on one tile, and how many products it takes.
func bareFloat(set *simd.Set, k int) (func(), int) {
	k = min(k, depth)
	a, p, c := aligned(set.MR*k), aligned(k*set.NR), aligned(set.MR*set.NR)
	return func() { set.Gemm(set.MR, k, a, k, 1, p, set.NR, c, set.NR, true) }, set.MR * set.NR * k
}

// bareInt8 is the int8 microkernel on one block of one panel, in whole tiles, also where these have five rows.
func bareInt8(set *simd.Set, k int) (func(), int) {
	product, k, m := &set.Int8, min(k, depth), 5*set.MR
	if set.Pairs != nil {
		product = set.Pairs
	}
	groups, stride := k/set.KGroup, product.RoundedBytes(k, k)
	a, p, start := make([]uint8, m*stride), make([]int8, k*set.NR), make([]int32, set.NR)
	scale, columns, c := aligned(m), aligned(2*set.NR), aligned(m*set.NR)
	return func() {
		product.GemmInt8(m, groups, groups, a, stride, scale, 1, p, start, columns, columns[set.NR:], c, set.NR)
	}, m * set.NR * k
}
