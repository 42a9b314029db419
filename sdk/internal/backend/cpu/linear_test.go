package cpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
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
	if l.matrix, err = quant.QuantizeDefault(scheme, normal(r, n*k), n, k); err != nil {
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
	l.backward, l.dx = l.compile(t, "dy", n, func(r *backend.Recorder, dy backend.Value) backend.Value {
		return r.LinearBackward(dy, f, backend.None)
	})
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

// check holds both directions to float64 sums over matrix w, at each step-th element and the last.
func (l *layer) check(t testing.TB, w quant.Matrix, step int) error {
	t.Helper()
	wide := make([]float32, l.n*l.k)
	w.Dequantize(wide)
	at := func(i, j int) float64 { return float64(wide[i*l.k+j]) }
	x, dy := l.input(l.k), l.input(l.n)
	y, dx := run(t, l.forward, l.y, l.m*l.n), run(t, l.backward, l.dx, l.m*l.k)
	for e := 0; e < len(y)+step-1; e += step {
		e := min(e, len(y)-1)
		i, j := e/l.n, e%l.n
		if err := near(y[e], float64(l.bias[j]), l.k, func(c int) float64 { return float64(x[i*l.k+c]) * at(j, c) }); err != nil {
			return fmt.Errorf("y[%d, %d] %w", i, j, err)
		}
	}
	for e := 0; e < len(dx)+step-1; e += step {
		e := min(e, len(dx)-1)
		i, j := e/l.k, e%l.k
		if err := near(dx[e], 0, l.n, func(c int) float64 { return float64(dy[i*l.n+c]) * at(c, j) }); err != nil {
			return fmt.Errorf("dx[%d, %d] %w", i, j, err)
		}
	}
	return nil
}

// near bounds the error of a sum of n terms by the rounding of their magnitudes, which grows with the root of n.
func near(got float32, start float64, n int, term func(int) float64) error {
	want, magnitude := start, math.Abs(start)
	for c := range n {
		v := term(c)
		want += v
		magnitude += math.Abs(v)
	}
	if d := math.Abs(float64(got) - want); d > magnitude*0x1p-24*(2+math.Sqrt(float64(n))) {
		return fmt.Errorf("is %v, expected %v", got, want)
	}
	return nil
}

var schemes = []quant.Scheme{quant.F32, quant.F16, quant.Q8C}

// TestLinearSizes covers every tail of the tiles, in both directions and all schemes.
func TestLinearSizes(t *testing.T) {
	sizes := []int{1, 2, 7, 13, 37, 64, 65, 197}
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		d := mustOpen(t, 2, set)
		defer d.pool.close()
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

// TestLinearRejects: one step of one int8 in one weight is seen, and so are two exchanged scales.
func TestLinearRejects(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		d := mustOpen(t, 2, set)
		defer d.pool.close()
		l := newLayer(t, d, quant.Q8C, 13, 37, 64)
		wrong := l.matrix
		wrong.Int8 = slices.Clone(wrong.Int8)
		wrong.Int8[20*64+5] ^= 1
		if l.check(t, wrong, 1) == nil {
			t.Error("a changed weight went unnoticed")
		}
		wrong = l.matrix
		wrong.Scale = slices.Clone(wrong.Scale)
		wrong.Scale[3], wrong.Scale[4] = wrong.Scale[4], wrong.Scale[3]
		if l.check(t, wrong, 1) == nil {
			t.Error("exchanged scales went unnoticed")
		}
	})
}

func newLayerChecked(t *testing.T, d *device, scheme quant.Scheme, m, n, k int) {
	t.Run(fmt.Sprintf("%s_%dx%dx%d", scheme, m, n, k), func(t *testing.T) {
		l := newLayer(t, d, scheme, m, n, k)
		if err := l.check(t, l.matrix, max(1, m*min(n, k)/500)); err != nil {
			t.Error(err)
		}
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
			if err := l.check(b, l.matrix, m*n/100); err != nil {
				b.Fatal(err)
			}
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
