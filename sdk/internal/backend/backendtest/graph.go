package backendtest

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// graph records a case on one device and remembers its data and what to compare. Its methods fail the test themselves.
type graph struct {
	*backend.Recorder
	t      *testing.T
	be     backend.Backend
	first  int  // number of the first item that items makes
	half   bool // whether the arena of a mixed batch is float16
	block  int  // of int8 activations and gradients in the layers that frozen makes, 0 for none
	floats map[backend.Value][]float32
	ints   map[backend.Value][]int32
	reads  []named[backend.Value]
	state  []named[*state]
	close  []func() error
}

type named[T any] struct {
	name string
	of   T
}

// state is a resident buffer whose contents after a run are compared.
type state struct {
	buffer backend.Buffer
	start  []float32
}

// results are a run's outputs and states, in order of declaration.
type results struct {
	names   []string
	tensors map[string]tensor.Tensor
}

func newGraph(t *testing.T, be backend.Backend, first int) *graph {
	return &graph{Recorder: backend.NewRecorder(), t: t, be: be, first: first,
		floats: map[backend.Value][]float32{}, ints: map[backend.Value][]int32{}}
}

// run records a case, runs it twice from the same state, checks that both runs have the same bits and that nothing
// stays allocated, and returns the results.
func run(t *testing.T, be backend.Backend, first int, build func(g *graph)) results {
	t.Helper()
	before := be.MemoryInUse()
	g := newGraph(t, be, first)
	build(g)
	exec, prog := g.compile()
	r := g.once(exec, prog)
	again := g.once(exec, prog)
	for _, name := range r.names {
		sameBits(t, "second run: "+name, again.tensors[name].Data, r.tensors[name].Data)
	}
	g.must(exec.Close())
	g.release()
	if n := be.MemoryInUse(); n != before {
		t.Errorf("%d bytes more in use after the case was closed", n-before)
	}
	return r
}

// expected is what the reference makes of a case.
func (s suite) expected(t *testing.T, build func(g *graph)) results {
	t.Helper()
	g := newGraph(t, s.ref, 0)
	build(g)
	defer g.release()
	exec, prog := g.compile()
	defer exec.Close()
	return g.once(exec, prog)
}

func (g *graph) compile() (backend.Executable, *backend.Program) {
	g.t.Helper()
	prog, err := g.Finish()
	g.must(err)
	exec, err := g.be.Compile(prog)
	g.must(err)
	return exec, prog
}

func (g *graph) release() {
	for _, f := range slices.Backward(g.close) {
		g.must(f())
	}
}

// once writes everything, runs and reads.
func (g *graph) once(exec backend.Executable, prog *backend.Program) results {
	g.t.Helper()
	for v, x := range g.floats {
		g.must(exec.WriteFloats(v, x))
	}
	for v, x := range g.ints {
		g.must(exec.WriteInts(v, x))
	}
	for _, s := range g.state {
		g.must(s.of.buffer.Write(0, s.of.start))
	}
	g.must(exec.Run(context.Background()))
	r := results{tensors: map[string]tensor.Tensor{}}
	for _, o := range g.reads {
		x := tensor.New(prog.Shape(o.of)...)
		g.must(exec.ReadFloats(o.of, x.Data))
		r.names, r.tensors[o.name] = append(r.names, o.name), x
	}
	for _, s := range g.state {
		x := tensor.New(s.of.buffer.Len())
		g.must(s.of.buffer.Read(0, x.Data))
		r.names, r.tensors[s.name] = append(r.names, s.name), x
	}
	return r
}

func (g *graph) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// read has v compared under this name.
func (g *graph) read(name string, v backend.Value) {
	g.reads = append(g.reads, named[backend.Value]{name, g.Output(v, name)})
}

// input is a float32 input with the given contents.
func (g *graph) input(name string, x []float32, shape ...int) backend.Value {
	v := g.Input(name, shape...)
	g.floats[v] = x
	return v
}

func (g *graph) inputInts(name string, x ...int32) backend.Value {
	v := g.InputInts(name, len(x))
	g.ints[v] = x
	return v
}

// items is an input of n items, each from its own random stream: item i alone has the data it has in a batch.
func (g *graph) items(name string, n int, shape ...int) backend.Value {
	size := tensor.Shape(shape).Elems() / n
	var x []float32
	for i := range n {
		x = append(x, normal(name, g.first+i, size)...)
	}
	return g.input(name, x, shape...)
}

// buffer makes a resident buffer that the case only reads.
func (g *graph) buffer(name string, x []float32) backend.Buffer {
	b, err := g.be.NewBuffer(name, len(x))
	g.must(err)
	g.close = append(g.close, b.Close)
	g.must(b.Write(0, x))
	return b
}

// param is a parameter that the case only reads, from the random stream of its name.
func (g *graph) param(name string, shape ...int) backend.Value {
	return g.Param(name, g.buffer(name, normal(name, 0, tensor.Shape(shape).Elems())), 0, shape...)
}

// updated is a parameter that the case writes. It lies in the middle of a buffer, so that the comparison of the whole
// also shows a write past either end.
func (g *graph) updated(name string, start []float32, shape ...int) backend.Value {
	const margin = backend.ParamAlign
	x := slices.Concat(normal("below", 0, margin), start, normal("above", 0, 3))
	b := g.buffer(name, x)
	g.state = append(g.state, named[*state]{name, &state{b, x}})
	return g.Param(name, b, margin, shape...)
}

// gradient is a parameter that receives a gradient; what it holds before shows if a sum is added instead of stored.
func (g *graph) gradient(name string, shape ...int) backend.Value {
	return g.updated(name, normal(name, 0, tensor.Shape(shape).Elems()), shape...)
}

// norm is LayerNorm parameters around 1 and 0.
func (g *graph) norm(name string, d int, eps float32) backend.Norm {
	return backend.Norm{Gamma: g.buffer("gamma", affine(normal(name+".gamma", 0, d), 0.3, 1)),
		Beta: g.buffer("beta", affine(normal(name+".beta", 0, d), 0.3, 0)), Eps: eps}
}

// frozen is a frozen layer [n, k] whose outputs are about as large as its inputs; the rows differ in scale by up to 8.
func (g *graph) frozen(name string, scheme quant.Scheme, n, k int) backend.Frozen {
	return g.frozenEdited(name, scheme, n, k, nil)
}

// frozenEdited is frozen with a change to the quantised matrix. Int4 rows have a factor of their own, as layer scale gives them one.
func (g *graph) frozenEdited(name string, scheme quant.Scheme, n, k int, edit func(m *quant.Matrix)) backend.Frozen {
	w, factor := normal(name, 0, n*k), make([]float32, n)
	for i := range w {
		w[i] *= float32(int(1)<<(i/k%4)) / 4 / sqrt(k)
		factor[i/k] = 1 + float32(i/k%5)/8
	}
	m, err := quant.Quantize(scheme, w, n, k)
	g.must(err)
	if scheme.Group() > 0 {
		m.Scale = factor
	}
	if edit != nil {
		edit(&m)
	}
	return g.resident(m, normal(name+".bias", 0, n))
}

// layer is a frozen layer of given weights.
func (g *graph) layer(scheme quant.Scheme, w, bias []float32, k int) backend.Frozen {
	m, err := quant.Quantize(scheme, w, len(bias), k)
	g.must(err)
	return g.resident(m, bias)
}

func (g *graph) resident(m quant.Matrix, bias []float32) backend.Frozen {
	r, err := g.be.NewWeight("weight", m)
	g.must(err)
	g.close = append(g.close, r.Close)
	return backend.Frozen{W: r, Bias: g.buffer("bias", bias), Block: g.block, GradBlock: g.block}
}

// copied makes a temporary with v's contents: for operators that work in place.
func (g *graph) copied(v backend.Value) backend.Value { return g.Scale(v, 1) }

// normal makes n standard normal numbers; name and item are the seed.
func normal(name string, item, n int) []float32 {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(h.Sum64(), uint64(item)))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// affine is scale x + shift, in place.
func affine(x []float32, scale, shift float32) []float32 {
	for i := range x {
		x[i] = scale*x[i] + shift
	}
	return x
}
