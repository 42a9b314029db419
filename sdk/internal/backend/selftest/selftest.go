// Package selftest holds canned cases by which a device shows that its kernels work on the machine and with the driver at
// hand. Each is a small Program that ends in tails of tiles, with data of its own; what it should give comes from the float64
// reference, at run time, so that no numbers need to be stored and none can go stale. They are few and small beside those
// of backendtest, which tell a wrong formula from a right one: these tell a right kernel that the driver gets wrong.
//
// Where the operator allows it the data are small integers. Sums are then exact in any order, and the device must have the
// reference's bits.
package selftest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
)

// Repeats is how often a case runs: drivers that forget a barrier or a cache do so now and then.
const Repeats = 20

// Case is one Program of a few kernels.
type Case struct {
	Name    string
	Kernels []string // of the table of shaders, that it runs on a GPU
	// Tolerance bounds max|got - want| / max|want| of each result; 0 asks for equal bits.
	Tolerance float64
	build     func(g *graph, s size)
}

// Size is one of the sizes in which each case comes: kernels differ for rows of whole vectors and others.
type Size int

const (
	Wide Size = iota // rows of whole vectors and words, and a tail behind each tile
	Odd              // nothing divides anything
)

// Sizes are all of them.
var Sizes = []Size{Wide, Odd}

func (s Size) String() string { return [...]string{"wide", "odd"}[s] }

// size are extents: m rows of n or k columns, r of a branch.
type size struct{ m, n, k, r int }

var sizes = map[Size]size{Wide: {65, 68, 160, 8}, Odd: {7, 37, 5, 7}}

// Outcome is how a case went.
type Outcome struct {
	Fault    string // what is wrong, empty if nothing is
	MaxError float64
	Took     time.Duration // of all runs, without compiling
}

// Check runs c on be. compiled, which may be nil, sees the Executable first, and may end the check without an outcome. An
// error is one of the device or its driver.
func (c Case) Check(ctx context.Context, be backend.Backend, s Size, compiled func(backend.Executable) (goOn bool)) (Outcome, error) {
	return c.check(ctx, be, nil, s, compiled)
}

// CheckLike is Check where the results must also have the bits of one run on other.
func (c Case) CheckLike(ctx context.Context, be, other backend.Backend, s Size, compiled func(backend.Executable) (goOn bool)) (Outcome, error) {
	return c.check(ctx, be, other, s, compiled)
}

func (c Case) check(ctx context.Context, be, other backend.Backend, s Size, compiled func(backend.Executable) bool) (o Outcome, err error) {
	g, exec, prog, err := c.compile(be, s)
	defer func() {
		if e := g.release(); err == nil {
			err = e
		}
	}()
	if err != nil || compiled != nil && !compiled(exec) {
		return o, err
	}
	want, err := c.expected(s)
	if err != nil {
		return o, err
	}
	var first [][]float32
	if other != nil {
		if first, err = c.once(ctx, other, s); err != nil {
			return o, err
		}
	}
	for i := range Repeats {
		began := time.Now()
		got, err := g.once(ctx, exec, prog)
		if err != nil {
			return o, err
		}
		o.Took += time.Since(began)
		if i == 0 {
			o.MaxError = maxError(got, want)
			if !(o.MaxError <= c.Tolerance) {
				o.Fault = fmt.Sprintf("differs from the reference by %.2g of its largest value, allowed %.2g", o.MaxError, c.Tolerance)
				return o, nil
			}
		}
		if first == nil {
			first = got
		} else if !sameBits(got, first) {
			o.Fault = fmt.Sprintf("run %d of the same input differs from the first", i+1)
			return o, nil
		}
	}
	return o, nil
}

// compile makes c's Program on be. The graph, which there is with an error too, releases it.
func (c Case) compile(be backend.Backend, s Size) (*graph, backend.Executable, *backend.Program, error) {
	g := newGraph(be)
	c.build(g, sizes[s])
	prog, err := g.Finish()
	if err != nil {
		return g, nil, nil, err
	}
	exec, err := be.Compile(prog)
	if err == nil {
		g.close = append(g.close, exec.Close)
	}
	return g, exec, prog, err
}

// once is what be makes of c.
func (c Case) once(ctx context.Context, be backend.Backend, s Size) (out [][]float32, err error) {
	g, exec, prog, err := c.compile(be, s)
	defer func() {
		if e := g.release(); err == nil {
			err = e
		}
	}()
	if err != nil {
		return nil, err
	}
	return g.once(ctx, exec, prog)
}

// expected is what the reference makes of c.
func (c Case) expected(s Size) ([][]float32, error) {
	be := host.NewReference()
	defer be.Close()
	return c.once(context.Background(), be, s)
}

// maxError is the largest difference of a result relative to the result's largest magnitude; infinite where numbers are none.
func maxError(got, want [][]float32) float64 {
	worst := 0.0
	for i := range want {
		diff, top := 0.0, 0.0
		for j, w := range want[i] {
			d := math.Abs(float64(got[i][j]) - float64(w))
			if math.IsNaN(d) {
				return math.Inf(1)
			}
			diff, top = max(diff, d), max(top, math.Abs(float64(w)))
		}
		if top > 0 {
			diff /= top
		}
		worst = max(worst, diff)
	}
	return worst
}

func sameBits(a, b [][]float32) bool {
	return slices.EqualFunc(a, b, func(x, y []float32) bool {
		return slices.EqualFunc(x, y, func(v, w float32) bool { return math.Float32bits(v) == math.Float32bits(w) })
	})
}
