package cpu

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"
)

// numbers are the arithmetic of the frozen layers.
type numbers struct {
	name            string
	scheme          quant.Scheme
	block, gradient int // backend.Frozen's Block and GradBlock
}

var allNumbers = []numbers{
	{"float", quant.Q8C, 0, 0},
	{"int8", quant.Q8C, quant.PerToken, 16},
	{"int8 in blocks", quant.Q8C, 8, 8},
	{"int4", quant.Q4G32, quant.PerToken, 0},
}

// encoder records blocks of a ViT with AdaptMLP, forward and backward, on random weights: the work of a tuning step.
type encoder struct {
	t                           testing.TB
	d                           *device
	r                           *rand.Rand
	numbers                     numbers
	dim, hidden, bottleneck     int
	heads                       backend.Heads
	made                        []interface{ Close() error }
	norm                        backend.Norm
	qkv, proj, fc1, fc2         backend.Frozen
	params, grads, velocity     backend.Buffer
	down, up, downBias, upBias  int // offsets in params
	learningRate, key, x, total backend.Value
}

func newEncoder(t testing.TB, d *device, n numbers, batch, tokens, dim, headCount, bottleneck int) *encoder {
	e := &encoder{t: t, d: d, r: rand.New(rand.NewPCG(1, 1)), numbers: n, dim: dim, hidden: 4 * dim, bottleneck: bottleneck,
		heads: backend.Heads{Batch: batch, Tokens: tokens, Count: headCount}}
	e.norm = backend.Norm{Gamma: e.buffer(dim, 1), Beta: e.buffer(dim, 0.1), Eps: 1e-6}
	e.qkv, e.proj = e.frozen(3*dim, dim), e.frozen(dim, dim)
	e.fc1, e.fc2 = e.frozen(4*dim, dim), e.frozen(dim, 4*dim)
	offset := 0
	for _, p := range []struct{ at, n *int }{{&e.down, new(bottleneck * dim)}, {&e.up, new(bottleneck * dim)}, {&e.downBias, &e.bottleneck}, {&e.upBias, &e.dim}} {
		*p.at = offset
		offset += pieces(*p.n, backend.ParamAlign) * backend.ParamAlign
	}
	e.params, e.grads, e.velocity = e.buffer(offset, 0.05), e.buffer(offset, 0), e.buffer(offset, 0)
	return e
}

func (e *encoder) check(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *encoder) buffer(n int, sigma float32) backend.Buffer {
	b, err := e.d.NewBuffer("b", n)
	e.check(err)
	x := normal(e.r, n)
	for i := range x {
		x[i] *= sigma
	}
	e.check(b.Write(0, x))
	e.made = append(e.made, b)
	return b
}

func (e *encoder) frozen(n, k int) backend.Frozen {
	x := normal(e.r, n*k)
	for i := range x {
		x[i] *= 0.05
	}
	m, err := quant.QuantizeDefault(e.numbers.scheme, x, n, k)
	e.check(err)
	w, err := e.d.NewWeight("w", m)
	e.check(err)
	e.made = append(e.made, w)
	return backend.Frozen{W: w, Bias: e.buffer(n, 0.1), Block: e.numbers.block, GradBlock: e.numbers.gradient}
}

// step compiles a forward and backward pass through depth blocks and an update of the adapter that they share.
func (e *encoder) step(depth int) backend.Executable {
	r := backend.NewRecorder()
	rows := e.heads.Batch * e.heads.Tokens
	param := func(b backend.Buffer, at int, shape ...int) backend.Value { return r.Param("p", b, at, shape...) }
	down, up := param(e.params, e.down, e.bottleneck, e.dim), param(e.params, e.up, e.dim, e.bottleneck)
	downBias, upBias := param(e.params, e.downBias, e.bottleneck), param(e.params, e.upBias, e.dim)
	e.x, e.key, e.learningRate = r.Input("x", rows, e.dim), r.InputInts("key", 1), r.Input("lr", 1)
	type saved struct {
		x, mid, qkv, o, lse, dgelu, h backend.Value
		n1, n2                        backend.NormStats
	}
	blocks := make([]saved, depth)
	x := e.x
	for i := range blocks {
		b := &blocks[i]
		b.x = x
		var n, gelu backend.Value
		n, b.n1 = r.LayerNorm(x, e.norm)
		b.qkv = r.Linear(n, e.qkv)
		b.o, b.lse = r.Attention(b.qkv, e.heads)
		b.mid = r.LinearResidual(b.o, e.proj, x)
		b.h = r.AdaptDown(b.mid, down, downBias, backend.Dropout{P: 0.1, Key: e.key, Stream: uint32(i)})
		n, b.n2 = r.LayerNorm(b.mid, e.norm)
		gelu, b.dgelu = r.LinearGELU(n, e.fc1, true)
		x = r.LinearResidualAdapter(gelu, e.fc2, b.mid, backend.Branch{Hidden: b.h, Up: up, UpBias: upBias, Scale: 0.1})
	}
	g := r.Scale(x, 1e-3)
	for i := depth - 1; i >= 0; i-- {
		b := &blocks[i]
		r.WeightGrad(g, b.h, param(e.grads, e.up, e.dim, e.bottleneck), 0.1)
		r.BiasGrad(g, param(e.grads, e.upBias, e.dim), 0.1)
		dh := r.AdaptDownBackward(g, up, b.h, 0.1/0.9)
		r.WeightGrad(dh, b.mid, param(e.grads, e.down, e.bottleneck, e.dim), 1)
		r.BiasGrad(dh, param(e.grads, e.downBias, e.bottleneck), 1)
		d := r.LinearBackward(r.LinearBackward(g, e.fc2, b.dgelu), e.fc1, backend.None)
		g = r.LayerNormBackward(b.mid, e.norm, b.n2, d, g)
		g = r.MatMul(dh, down, g)
		d = r.AttentionBackward(b.qkv, b.o, b.lse, r.LinearBackward(g, e.proj, backend.None), e.heads)
		g = r.LayerNormBackward(b.x, e.norm, b.n1, r.LinearBackward(d, e.qkv, backend.None), g)
	}
	n := e.params.Len()
	r.SGD(param(e.params, 0, n), param(e.grads, 0, n), param(e.velocity, 0, n), e.learningRate, 0.9, 1e-4)
	e.total = r.Output(g, "dx")
	p, err := r.Finish()
	e.check(err)
	x2, err := e.d.Compile(p)
	e.check(err)
	e.made = append(e.made, x2)
	e.check(x2.WriteFloats(e.x, normal(rand.New(rand.NewPCG(2, 2)), rows*e.dim)))
	e.check(x2.WriteInts(e.key, []int32{7}))
	e.check(x2.WriteFloats(e.learningRate, []float32{0.01}))
	return x2
}

func (e *encoder) close() {
	for i := len(e.made) - 1; i >= 0; i-- {
		e.check(e.made[i].Close())
	}
	if n := e.d.MemoryInUse(); n != 0 {
		e.t.Errorf("%d bytes still in use", n)
	}
	e.check(e.d.Close())
}

// results runs three steps on a number of threads and returns the gradient at the input and the parameters.
func results(t *testing.T, set *simd.Set, threads int, n numbers) []float32 {
	e := newEncoder(t, mustOpen(t, threads, set), n, 2, 37, 40, 2, 7)
	defer e.close()
	x := e.step(2)
	for range 3 {
		e.check(x.Run(context.Background()))
	}
	out := make([]float32, 2*37*40+e.params.Len())
	e.check(x.ReadFloats(e.total, out[:2*37*40]))
	e.check(e.params.Read(0, out[2*37*40:]))
	return out
}

// TestThreads: the number of threads changes no bit of a tuning step.
func TestThreads(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		for _, n := range allNumbers {
			t.Run(n.name, func(t *testing.T) {
				want := results(t, set, 1, n)
				for _, threads := range []int{2, 3, 5} {
					for i, v := range results(t, set, threads, n) {
						if v != want[i] {
							t.Fatalf("%d threads: [%d] is %v, with one it is %v", threads, i, v, want[i])
						}
					}
				}
			})
		}
	})
}

// TestAllocations: a compiled step runs in the memory that it was given.
func TestAllocations(t *testing.T) {
	forEachSet(t, func(t *testing.T, set *simd.Set) {
		for _, n := range allNumbers {
			t.Run(n.name, func(t *testing.T) {
				e := newEncoder(t, mustOpen(t, 2, set), n, 2, 37, 40, 2, 7)
				defer e.close()
				x := e.step(2)
				ctx := context.Background()
				if n := testing.AllocsPerRun(3, func() { e.check(x.Run(ctx)) }); n != 0 {
					t.Errorf("%v allocations a run", n)
				}
			})
		}
	})
}

// BenchmarkStep is a tuning step of a ViT-S at 112 pixels, batch 32, bottleneck 64, in all 12 blocks.
func BenchmarkStep(b *testing.B) {
	e := newEncoder(b, mustOpen(b, runtime.GOMAXPROCS(0), simd.All()[0]), allNumbers[0], 32, 65, 384, 6, 64)
	defer e.close()
	x := e.step(12)
	e.check(x.Run(context.Background()))
	for b.Loop() {
		e.check(x.Run(context.Background()))
	}
	b.ReportMetric(float64(b.N)*32/b.Elapsed().Seconds(), "images/s")
}
