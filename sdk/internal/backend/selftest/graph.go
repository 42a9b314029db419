package selftest

import (
	"context"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// graph records a case on one device. Like a Recorder's, its first error sticks, and Finish returns it.
type graph struct {
	*backend.Recorder
	be      backend.Backend
	floats  map[backend.Value][]float32
	ints    map[backend.Value][]int32
	reads   []backend.Value
	buffers []held
	close   []func() error
}

// held is a buffer whose contents before a run are start; those after it are results if the case writes it.
type held struct {
	buffer  backend.Buffer
	start   []float32
	written bool
}

func newGraph(be backend.Backend) *graph {
	return &graph{Recorder: backend.NewRecorder(), be: be, floats: map[backend.Value][]float32{}, ints: map[backend.Value][]int32{}}
}

// release frees what the case holds on the device.
func (g *graph) release() (first error) {
	for _, f := range slices.Backward(g.close) {
		if err := f(); first == nil {
			first = err
		}
	}
	return first
}

// once writes everything, runs and reads.
func (g *graph) once(ctx context.Context, exec backend.Executable, p *backend.Program) ([][]float32, error) {
	for v, x := range g.floats {
		if err := exec.WriteFloats(v, x); err != nil {
			return nil, err
		}
	}
	for v, x := range g.ints {
		if err := exec.WriteInts(v, x); err != nil {
			return nil, err
		}
	}
	for _, h := range g.buffers {
		if h.written {
			if err := h.buffer.Write(0, h.start); err != nil {
				return nil, err
			}
		}
	}
	if err := exec.Run(ctx); err != nil {
		return nil, err
	}
	var out [][]float32
	for _, v := range g.reads {
		x := make([]float32, p.Shape(v).Elems())
		if err := exec.ReadFloats(v, x); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	for _, h := range g.buffers {
		if h.written {
			x := make([]float32, len(h.start))
			if err := h.buffer.Read(0, x); err != nil {
				return nil, err
			}
			out = append(out, x)
		}
	}
	return out, nil
}

// read makes results of values.
func (g *graph) read(vs ...backend.Value) {
	for _, v := range vs {
		g.reads = append(g.reads, g.Output(v, "result"))
	}
}

func (g *graph) input(x []float32, shape ...int) backend.Value {
	v := g.Input("input", shape...)
	g.floats[v] = x
	return v
}

func (g *graph) inputInts(x []int32, shape ...int) backend.Value {
	v := g.InputInts("input", shape...)
	g.ints[v] = x
	return v
}

// absent stands for a buffer that could not be made; the Recorder has the error.
type absent int

func (n absent) Len() int                 { return int(n) }
func (absent) Type() backend.DType        { return backend.F32 }
func (absent) Write(int, []float32) error { return nil }
func (absent) Read(int, []float32) error  { return nil }
func (absent) Close() error               { return nil }

// hold makes a buffer of x.
func (g *graph) hold(x []float32, half, written bool) backend.Buffer {
	make := g.be.NewBuffer
	if half {
		make = g.be.NewHalfBuffer
	}
	b, err := make("selftest", len(x))
	if err == nil {
		g.close = append(g.close, b.Close)
		err = b.Write(0, x)
	}
	if err != nil {
		g.Fail(err)
		return absent(len(x))
	}
	g.buffers = append(g.buffers, held{b, x, written})
	return b
}

// param is a parameter that the case reads.
func (g *graph) param(x []float32, shape ...int) backend.Value {
	return g.Param("parameter", g.hold(x, false, false), 0, shape...)
}

// updated is a parameter that the case writes, in the middle of a buffer: a write past either end shows.
func (g *graph) updated(x []float32, shape ...int) backend.Value {
	const margin = backend.ParamAlign
	all := slices.Concat(ints("below", margin), x, ints("above", 3))
	return g.Param("parameter", g.hold(all, false, true), margin, shape...)
}

// norm is the parameters of a LayerNorm of width d.
func (g *graph) norm(d int) backend.Norm {
	return backend.Norm{Gamma: g.hold(ints("gamma", d), false, false), Beta: g.hold(ints("beta", d), false, false), Eps: 1e-5}
}

// frozen is a frozen layer [n, k] of small integers times powers of two, which every scheme holds exactly: each row has a
// largest weight of 127 times its power, so that an int8 row's scale is that power, and each group of int4 one of 7.
func (g *graph) frozen(scheme quant.Scheme, n, k int) backend.Frozen {
	w, group := ints("weights", n*k), scheme.Group()
	for i := range w {
		power := float32(int(1)<<(i/k%4)) / 4
		switch {
		case group == 0 && i%k == 0:
			w[i] = 127
		case group == 0:
			w[i] *= 12
		case i%k%group == 0:
			w[i] = 7
		}
		if group > 0 && i%k/group%2 == 1 {
			power *= 2
		}
		w[i] *= power
	}
	return g.layer(scheme, w, ints("bias", n), k)
}

// layer is a frozen layer of given weights; int4 rows have a factor of their own.
func (g *graph) layer(scheme quant.Scheme, w, bias []float32, k int) backend.Frozen {
	f := backend.Frozen{Bias: g.hold(bias, false, false)}
	m, err := quant.Quantize(scheme, w, len(bias), k)
	if err == nil {
		if scheme.Group() > 0 {
			m.Scale = rowPowers(len(bias))
		}
		f.W, err = g.be.NewWeight("selftest", m)
	}
	if err != nil {
		g.Fail(err)
		return f
	}
	g.close = append(g.close, f.W.Close)
	return f
}

// rowPowers are factors of rows beside the scales of their groups.
func rowPowers(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(int(1) << (i % 3))
	}
	return x
}

// ints makes n integers from -7 to 7, as floats; name is the seed.
func ints(name string, n int) []float32 {
	r := source(name)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(15) - 7)
	}
	return x
}

// normal makes n standard normal numbers.
func normal(name string, n int) []float32 {
	r := source(name)
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// positive makes n numbers above 0.
func positive(name string, n int) []float32 {
	x := normal(name, n)
	for i, v := range x {
		x[i] = v*v + 0.1
	}
	return x
}

func source(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}

// bits is a float32 as a mix holds it.
func bits(f float32) int32 { return int32(math.Float32bits(f)) }
