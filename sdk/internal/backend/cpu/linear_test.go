package cpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// layer is one frozen layer on a device, forward and backward, with its inputs.
type layer struct {
	d        *device
	m, n, k  int
	matrix   quant.Matrix
	x, bias  []float32
	forward  backend.Executable
	backward backend.Executable
	y, dx    backend.Value
}

func newLayer(t testing.TB, d *device, scheme quant.Scheme, m, n, k int) *layer {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(k)))
	l := &layer{d: d, m: m, n: n, k: k, x: normal(r, m*k), bias: normal(r, n)}
	var err error
	if l.matrix, err = quant.Quantize(scheme, normal(r, n*k), n, k); err != nil {
		t.Fatal(err)
	}
	w, err := d.NewWeight("w", l.matrix)
	if err != nil {
		t.Fatal(err)
	}
	b, err := d.NewBuffer("bias", n)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Write(0, l.bias); err != nil {
		t.Fatal(err)
	}
	f := backend.Frozen{W: w, Bias: b}
	l.forward, l.y = l.compile(t, "x", k, func(r *backend.Recorder, x backend.Value) backend.Value { return r.Linear(x, f) })
	l.backward, l.dx = l.compile(t, "dy", n, func(r *backend.Recorder, dy backend.Value) backend.Value { return r.LinearBackward(dy, f, backend.None) })
	t.Cleanup(func() {
		for _, c := range []interface{ Close() error }{l.forward, l.backward, w, b} {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return l
}

func normal(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// compile makes a program of one operator; its input is the first columns of x.
func (l *layer) compile(t testing.TB, name string, columns int, record func(*backend.Recorder, backend.Value) backend.Value) (backend.Executable, backend.Value) {
	t.Helper()
	r := backend.NewRecorder()
	in := r.Input(name, l.m, columns)
	out := r.Output(record(r, in), "out")
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	e, err := l.d.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.WriteFloats(in, l.input(columns)); err != nil {
		t.Fatal(err)
	}
	return e, out
}

// input is m rows of the given width out of x, which is repeated as needed.
func (l *layer) input(columns int) []float32 {
	in := make([]float32, l.m*columns)
	for i := range in {
		in[i] = l.x[i%len(l.x)]
	}
	return in
}

func run(t testing.TB, e backend.Executable, v backend.Value, n int) []float32 {
	t.Helper()
	out := make([]float32, n)
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := e.ReadFloats(v, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// check compares elements of both directions with float64 sums: each step-th, and the last. The bound grows with the
// root of the number of terms; a swapped row, column or scale is far outside of it.
func (l *layer) check(t testing.TB, step int) {
	t.Helper()
	w := make([]float32, l.n*l.k)
	l.matrix.Dequantize(w)
	at := func(i, j int) float64 { return float64(w[i*l.k+j]) }
	x, dy := l.input(l.k), l.input(l.n)
	y, dx := run(t, l.forward, l.y, l.m*l.n), run(t, l.backward, l.dx, l.m*l.k)
	for e := 0; e < len(y)+step-1; e += step {
		e := min(e, len(y)-1)
		i, j := e/l.n, e%l.n
		near(t, "y", i, j, y[e], float64(l.bias[j]), l.k, func(c int) float64 { return float64(x[i*l.k+c]) * at(j, c) })
	}
	for e := 0; e < len(dx)+step-1; e += step {
		e := min(e, len(dx)-1)
		i, j := e/l.k, e%l.k
		near(t, "dx", i, j, dx[e], 0, l.n, func(c int) float64 { return float64(dy[i*l.n+c]) * at(c, j) })
	}
}

func near(t testing.TB, name string, i, j int, got float32, start float64, n int, term func(int) float64) {
	t.Helper()
	want, bound := start, math.Abs(start)
	for c := range n {
		v := term(c)
		want += v
		bound += math.Abs(v)
	}
	if d := math.Abs(float64(got) - want); d > bound*0x1p-24*(2+math.Sqrt(float64(n))) {
		t.Fatalf("%s[%d, %d] is %v, expected %v", name, i, j, got, want)
	}
}

var schemes = []quant.Scheme{quant.F32, quant.F16, quant.Q8C}

// TestLinearSizes covers every tail of the tiles, in both directions and all schemes.
func TestLinearSizes(t *testing.T) {
	sizes := []int{1, 2, 7, 13, 37, 64, 65, 197}
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		d := mustOpen(t, 2, set)
		for i, m := range sizes {
			for j, n := range sizes {
				for l, k := range sizes {
					// A third of the combinations with each scheme.
					newLayerChecked(t, d, schemes[(i+j+l)%3], m, n, k)
				}
			}
		}
		newLayerChecked(t, d, quant.Q8C, 14, 300, 530) // sums longer than one depth
	})
}

func newLayerChecked(t *testing.T, d *device, scheme quant.Scheme, m, n, k int) {
	t.Run(fmt.Sprintf("%s_%dx%dx%d", scheme, m, n, k), func(t *testing.T) {
		newLayer(t, d, scheme, m, n, k).check(t, max(1, m*min(n, k)/500))
	})
}

// BenchmarkLinear times the frozen layers of a ViT-S at one image of 112 and of 224 pixels and at a batch of 32.
func BenchmarkLinear(b *testing.B) {
	for _, scheme := range []quant.Scheme{quant.F32, quant.Q8C} {
		for _, tokens := range []int{65, 197, 2080} {
			for _, s := range [][2]int{{384, 1152}, {384, 384}, {384, 1536}, {1536, 384}} {
				for _, set := range simd.All()[:len(simd.All())-1] {
					name := fmt.Sprintf("%s/tokens=%d/in=%d/out=%d/%s", scheme, tokens, s[0], s[1], set.Name)
					benchmarkLinear(b, name, set, scheme, tokens, s[1], s[0])
				}
			}
		}
	}
}

func benchmarkLinear(b *testing.B, name string, set *simd.Set, scheme quant.Scheme, m, n, k int) {
	for _, backward := range []bool{false, true} {
		b.Run(fmt.Sprintf("%s/backward=%v", name, backward), func(b *testing.B) {
			d := mustOpen(b, 0, set)
			defer d.pool.close()
			l := newLayer(b, d, scheme, m, n, k)
			l.check(b, m*n/100)
			e := l.forward
			if backward {
				e = l.backward
			}
			for b.Loop() {
				if err := e.Run(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(2*float64(m)*float64(n)*float64(k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
