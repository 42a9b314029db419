package backendtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// mixedTask is a task of a mixed batch to test; the zero value is none.
type mixedTask struct {
	r, classes  int
	scale       float32
	block       int // with a branch
	pool        backend.PoolMode
	norm, stats bool
	options     int32
}

const mixedBlocks = 3

// mixedTasks differ in everything.
var mixedTasks = []mixedTask{
	{},
	{r: 4, classes: 3, scale: 0.1, block: 1, pool: backend.PoolCLSMean, stats: true},
	{r: 64, classes: 33, scale: -2, block: 1, pool: backend.PoolMean, norm: true, stats: true},
	{r: 12, classes: 1, scale: 1, block: 2},
	{classes: 70, block: -1, pool: backend.PoolMean},
	{r: 20, classes: 5, scale: 0.5, block: 1, pool: backend.PoolMean, norm: true},
	{r: 8, classes: 2, scale: 0.5, block: 1, options: backend.MixNormIn},
	{r: 16, classes: 2, scale: 2, block: 1, options: backend.MixNormOut},
	{r: 4, classes: 2, scale: 1, block: 1, options: backend.MixSequential},
	{r: 36, classes: 2, scale: 1, block: 1, options: backend.MixSequential | backend.MixNormIn},
	{r: 8, classes: 2, scale: 1, block: 1, options: backend.MixSequential | backend.MixNormOut},
}

// What operators of the tests have room for.
const mixedClasses, mixedBottleneck = 72, 64

// mixed makes an arena with all tasks and a mix in which image i, counted as items are, has task pick(i).
func (g *graph) mixed(n, d int, tasks []mixedTask, pick func(i int) int) backend.Mixed {
	var arena []float32
	part := func(name string, size int, positive bool) int32 {
		at := len(arena)
		x := affine(normal(name, 0, size), 0.3, 0)
		for i := range x {
			if positive {
				x[i] = 0.1 + x[i]*x[i]
			}
		}
		arena = append(append(arena, x...), make([]float32, backend.AlignParam(size)-size)...)
		return int32(at)
	}
	part("before", 70, false)
	rows := make([][]int32, len(tasks))
	for i, t := range tasks {
		row := make([]int32, backend.MixBranch(mixedBlocks))
		for c := range row {
			row[c] = -1
		}
		row[backend.MixPool], row[backend.MixClasses], row[backend.MixOptions] = int32(t.pool), int32(t.classes), t.options
		row[backend.MixScale] = int32(math.Float32bits(t.scale))
		name := fmt.Sprintf("task %d ", i)
		if t.r > 0 {
			column := backend.MixBranch(t.block)
			row[column], row[column+1] = part(name+"down", t.r*d, false), int32(t.r)
			part(name+"bias", t.r, false)
			part(name+"up", d*t.r, false)
			part(name+"up bias", d, false)
			if t.options&(backend.MixNormIn|backend.MixNormOut) != 0 {
				part(name+"branch gamma", d, false)
				part(name+"branch beta", d, false)
			}
		}
		f := t.pool.Width(d)
		if t.norm {
			row[backend.MixNorm] = part(name+"gamma", d, false)
			part(name+"beta", d, false)
		}
		if t.stats {
			row[backend.MixStats] = part(name+"mean", f, false)
			part(name+"variance", f, true)
		}
		if t.classes > 0 {
			row[backend.MixHead] = part(name+"head", t.classes*f, false)
			part(name+"head bias", t.classes, false)
		}
		rows[i] = row
	}
	mix := g.InputInts("mix", n, backend.MixBranch(mixedBlocks))
	for i := range n {
		g.ints[mix] = append(g.ints[mix], rows[pick(g.first+i)%len(rows)]...)
	}
	return backend.Mixed{Mix: mix, Arena: g.Param("arena", g.arena(arena), 0, len(arena))}
}

// arena is a buffer of x, of halves in cases that say so.
func (g *graph) arena(x []float32) backend.Buffer {
	if !g.half {
		return g.buffer("arena", x)
	}
	b, err := g.be.NewHalfBuffer("arena", len(x))
	g.must(err)
	g.close = append(g.close, b.Close)
	g.must(b.Write(0, x))
	return b
}

// halved is build with a float16 arena.
func halved(build func(g *graph)) func(g *graph) {
	return func(g *graph) {
		g.half = true
		build(g)
	}
}

// inTurn gives image i task i.
func inTurn(i int) int { return i }

// sameWithout checks that tasks without options have the bits in an operator for options that they have in one without.
func (s suite) sameWithout(t *testing.T, tasks []mixedTask, tokens, d int) {
	t.Run("same bits without options", func(t *testing.T) {
		var bits [2][]float32
		for i, norms := range []bool{false, true} {
			bits[i] = run(t, s.be, 0, func(g *graph) {
				n := len(tasks)
				x := g.copied(g.items("x", n, n*tokens, d))
				g.MixedAdapter(x, x, backend.MixedAdapter{Mixed: g.mixed(n, d, tasks, inTurn), Batch: n, Block: 1, Bottleneck: mixedBottleneck,
					Norms: norms, NormEps: 1e-5})
				g.read("x", x)
			}).tensors["x"].Data
		}
		sameBits(t, "x", bits[0], bits[1])
	})
}

func testMixed(t *testing.T, s suite) {
	// Both kinds of branches, in the order of a block.
	branch := func(n, tokens, d int, tasks []mixedTask, pick func(int) int) func(g *graph) {
		return func(g *graph) {
			x, in := g.copied(g.items("x", n, n*tokens, d)), g.items("in", n, n*tokens, d)
			o := backend.MixedAdapter{Mixed: g.mixed(n, d, tasks, pick), Batch: n, Block: 1, Bottleneck: mixedBottleneck, Norms: true, NormEps: 1e-5}
			g.MixedAdapter(x, x, o)
			o.Sequential = true
			g.MixedAdapter(x, in, o)
			g.read("x", x)
		}
	}
	head := func(n, d int, tasks []mixedTask, pick func(int) int) func(g *graph) {
		return func(g *graph) {
			m := g.mixed(n, d, tasks, pick)
			f, z := g.MixedFeatures(g.items("normed", n, n, 2*d), g.items("mean", n, n, d), m, 1e-6, 1e-5)
			g.read("f", f)
			g.read("z", z)
			g.read("logits", g.MixedHead(z, m, mixedClasses))
		}
	}
	for _, c := range []struct{ n, tokens, d int }{{1, 1, 4}, {7, 5, 37}, {6, 17, 32}, {13, 37, 64}} {
		name := fmt.Sprintf("%dx%dx%d", c.n, c.tokens, c.d)
		s.check(t, "branch "+name, branch(c.n, c.tokens, c.d, mixedTasks, func(i int) int { return i + 1 }))
		s.check(t, "head "+name, head(c.n, c.d, mixedTasks, inTurn))
		s.check(t, "branch of halves "+name, halved(branch(c.n, c.tokens, c.d, mixedTasks, func(i int) int { return i + 1 })))
		s.check(t, "head of halves "+name, halved(head(c.n, c.d, mixedTasks, inTurn)))
	}
	s.rejects(t, "a branch that was not rounded to halves", halved(branch(6, 5, 32, mixedTasks, inTurn)), branch(6, 5, 32, mixedTasks, inTurn))
	s.rejects(t, "a head that was not rounded to halves", halved(head(6, 32, mixedTasks, inTurn)), head(6, 32, mixedTasks, inTurn))
	for _, d := range []int{37, 64} {
		s.independent(t, fmt.Sprintf("branch of %d", d), 17, func(g *graph, n int) { branch(n, 19, d, mixedTasks, inTurn)(g) })
		s.independent(t, fmt.Sprintf("head of %d", d), 17, func(g *graph, n int) { head(n, d, mixedTasks, inTurn)(g) })
		s.independent(t, fmt.Sprintf("branch of %d, halves", d), 17, func(g *graph, n int) { halved(branch(n, 19, d, mixedTasks, inTurn))(g) })
	}
	t.Run("no task", func(t *testing.T) {
		got := run(t, s.be, 0, branch(3, 19, 37, mixedTasks, func(int) int { return 0 }))
		var want []float32
		for i := range 3 {
			want = append(want, normal("x", i, 19*37)...)
		}
		sameBits(t, "x", got.tensors["x"].Data, want)
	})
	s.rejects(t, "the neighbour's branch", branch(6, 5, 32, mixedTasks, inTurn), branch(6, 5, 32, mixedTasks, func(i int) int { return i + 1 }))
	s.rejects(t, "the neighbour's head", head(6, 32, mixedTasks, inTurn), head(6, 32, mixedTasks, func(i int) int { return i + 1 }))
	other := append([]mixedTask(nil), mixedTasks...)
	other[1].scale *= 1.05
	s.sameWithout(t, mixedTasks[:6], 19, 37)
	for i, t2 := range mixedTasks[6:] {
		plain := t2
		plain.options = 0
		s.rejects(t, fmt.Sprintf("no options %d", i), branch(2, 5, 32, []mixedTask{t2}, inTurn), branch(2, 5, 32, []mixedTask{plain}, inTurn))
	}
	s.rejects(t, "another scale", branch(2, 5, 32, mixedTasks[1:2], inTurn), branch(2, 5, 32, other[1:2], inTurn))
}
