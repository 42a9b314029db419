package backendtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// int8Case is a product of full-range int8: activations whose blocks all reach 127, so that their scales are 1 and rounding
// changes nothing, and weights with scales of 1; those of groups of int4 weights are 1 and 2. Its results are sums of integers.
type int8Case struct {
	scheme         quant.Scheme
	m, n, k, block int
	x, w           []int8
}

func newInt8Case(scheme quant.Scheme, m, n, k, block int) int8Case {
	r := rand.New(rand.NewPCG(uint64(m*n), uint64(k)))
	c := int8Case{scheme, m, n, k, block, make([]int8, m*k), make([]int8, n*k)}
	for i := range c.x {
		c.x[i] = int8(r.IntN(255) - 127)
	}
	for i := range c.w {
		if c.w[i] = int8(r.IntN(255) - 127); scheme != quant.Q8C {
			c.w[i] >>= 4
		}
	}
	for i := 0; i < m*k; i += k {
		for j := 0; j < k; j += min(block, k) {
			c.x[i+j] = int8(127 - 254*r.IntN(2))
		}
	}
	return c
}

// groupScale is the scale of column k's group of row n.
func (c int8Case) groupScale(n, k int) float32 {
	if g := c.scheme.Group(); g > 0 {
		return float32(1 + (n+k/g)%2)
	}
	return 1
}

// sums is y = x Wᵀ: the exact sums of runs, added in float32 as every device does.
func (c int8Case) sums() []float32 {
	y := make([]float32, c.m*c.n)
	for i := range y {
		x, w := c.x[i/c.n*c.k:][:c.k], c.w[i%c.n*c.k:][:c.k]
		quant.Runs(c.k, c.block, c.scheme.Group(), func(from, to int) {
			sum := int32(0)
			for j := from; j < to; j++ {
				sum += int32(x[j]) * int32(w[j])
			}
			y[i] += float32(sum) * c.groupScale(i%c.n, from)
		})
	}
	return y
}

// matrix is the weight.
func (c int8Case) matrix(rows, cols int, w []int8) quant.Matrix {
	m := quant.Matrix{Scheme: c.scheme, Rows: rows, Cols: cols, Scale: slices.Repeat([]float32{1}, rows)}
	if c.scheme == quant.Q8C {
		m.Int8 = w
		return m
	}
	m.Int4, m.GroupScale = make([]uint32, rows*m.Words()), make([]uint16, rows*m.Groups())
	for i, q := range w {
		m.Int4[i/cols*m.Words()+i%cols/8] |= uint32(q+8) << (i % cols % 8 * 4)
		m.GroupScale[i/cols*m.Groups()+i%cols/c.scheme.Group()] = quant.ToF16(c.groupScale(i/cols, i%cols))
	}
	return m
}

// layer records the case on a graph: forward y = x Wᵀ, or the gradient dx = x W with W transposed beforehand.
func (c int8Case) layer(backward bool) func(g *graph) {
	return func(g *graph) {
		x := make([]float32, len(c.x))
		for i, q := range c.x {
			x[i] = float32(q)
		}
		rows, cols, w := c.n, c.k, c.w
		if backward {
			rows, cols, w = c.k, c.n, make([]int8, len(c.w))
			for i, q := range c.w {
				w[i%c.k*c.n+i/c.k] = q
			}
		}
		weight, err := g.be.NewWeight("w", c.matrix(rows, cols, w))
		g.must(err)
		g.close = append(g.close, weight.Close)
		f := backend.Frozen{W: weight, Bias: g.buffer("bias", make([]float32, rows)), Block: c.block, GradBlock: c.block}
		in := g.input("x", x, c.m, c.k)
		if backward {
			g.read("y", g.LinearBackward(in, f, backend.None))
		} else {
			g.read("y", g.Linear(in, f))
		}
	}
}

// testInt8Sums holds the integer sums to the bits of plain loops: all of a row, tails of every kind, and sums beyond what a
// float32 counts.
func testInt8Sums(t *testing.T, s suite) {
	for _, c := range []struct{ m, n, k, block int }{
		{1, 64, 32, quant.PerToken}, {130, 64, 96, quant.PerToken}, {2, 128, 1152, quant.PerToken}, {3, 64, 3072, quant.PerToken},
		{65, 256, 64, quant.ActivationBlock}, {63, 128, 384, quant.ActivationBlock}, {5, 68, 1152, quant.ActivationBlock},
		{7, 65, 197, quant.ActivationBlock}, {9, 192, 1040, 16},
	} {
		for _, scheme := range quant.Schemes {
			if !scheme.Integers() {
				continue
			}
			full := newInt8Case(scheme, c.m, c.n, c.k, c.block)
			for _, backward := range s.backwards(scheme) {
				t.Run(fmt.Sprintf("%s %dx%dx%d block %d backward %v", scheme, c.m, c.n, c.k, c.block, backward), func(t *testing.T) {
					sameBits(t, "sums", run(t, s.be, 0, full.layer(backward)).tensors["y"].Data, full.sums())
				})
			}
		}
	}
	for _, scheme := range []quant.Scheme{quant.Q8C, quant.Q4G} {
		s.rejectsSums(t, scheme)
	}
}

// backwards are the passes that take int8: int4 weights have no int8 gradients, nor have devices without int8.
func (s suite) backwards(scheme quant.Scheme) []bool {
	if scheme.Group() > 0 || !s.be.Info().Int8 {
		return []bool{false}
	}
	return []bool{false, true}
}

// rejectsSums is the negative control.
func (s suite) rejectsSums(t *testing.T, scheme quant.Scheme) {
	t.Run(string(scheme)+" rejects", func(t *testing.T) {
		c := newInt8Case(scheme, 5, 64, 192, quant.ActivationBlock)
		got := run(t, s.be, 0, c.layer(false)).tensors["y"].Data
		for name, fault := range map[string]func(c *int8Case){
			"two words swapped":      func(c *int8Case) { swapWords(c.x, c.k) },
			"the last tile left out": func(c *int8Case) { clearFrom(c.x, c.k, 128) },
			"the last column left":   func(c *int8Case) { clearFrom(c.x, c.k, 191) },
		} {
			wrong := c
			wrong.x = append([]int8(nil), c.x...)
			fault(&wrong)
			if differ(got, wrong.sums()) < len(got)/2 {
				t.Errorf("%s: most sums are the same", name)
			}
		}
	})
}

// swapWords exchanges columns 4 to 8 and 8 to 12 of each row.
func swapWords(x []int8, k int) {
	for i := 0; i < len(x); i += k {
		for j := i + 4; j < i+8; j++ {
			x[j], x[j+4] = x[j+4], x[j]
		}
	}
}

// clearFrom zeroes the columns of each row from the given one on.
func clearFrom(x []int8, k, from int) {
	for i := 0; i < len(x); i += k {
		clear(x[i+from : i+k])
	}
}

func differ(a, b []float32) (n int) {
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n
}

// testInt8Values: what an operator leaves rounded for the layers behind it has the bits of what they round themselves.
func testInt8Values(t *testing.T, s suite) {
	block := func(scheme quant.Scheme, m, dim, hidden, heads int, train, keep bool) func(g *graph) {
		return func(g *graph) {
			between := func(name string, v backend.Value) backend.Value {
				if keep {
					g.Output(v, name) // read by the host as float32, so it is not rounded
				}
				return v
			}
			layer := func(name string, n, k, block int) backend.Frozen {
				f := g.frozen(name, scheme, n, k)
				f.Block = block
				return f
			}
			x, h := g.items("x", m, m, dim), backend.Heads{Batch: 1, Tokens: m, Count: heads}
			n1, stats := g.LayerNorm(x, g.norm("norm", dim, 1e-6))
			o, _ := g.Attention(g.Linear(between("n1", n1), layer("qkv", 3*dim, dim, quant.PerToken)), h)
			mid := g.LinearResidual(between("o", o), layer("proj", dim, dim, quant.ActivationBlock), x)
			n2, _ := g.LayerNorm(mid, g.norm("norm2", dim, 1e-6))
			z, dgelu := g.LinearGELU(between("n2", n2), layer("fc1", hidden, dim, quant.PerToken), train)
			g.read("y", g.LinearResidual(between("z", z), layer("fc2", dim, hidden, quant.ActivationBlock), mid))
			g.read("mean", stats.Mean)
			if train {
				g.read("gelu'", dgelu)
			}
		}
	}
	for _, c := range []struct {
		m, dim, hidden, heads int
		train                 bool
	}{{5, 64, 128, 1, true}, {67, 128, 192, 2, false}, {7, 96, 384, 3, true}, {3, 72, 288, 2, true}, {2, 37, 68, 1, false}} {
		for _, scheme := range []quant.Scheme{quant.Q8C, quant.Q4G} {
			t.Run(fmt.Sprintf("%s, %d tokens of %d", scheme, c.m, c.dim), func(t *testing.T) {
				rounded := run(t, s.be, 0, block(scheme, c.m, c.dim, c.hidden, c.heads, c.train, false))
				floats := run(t, s.be, 0, block(scheme, c.m, c.dim, c.hidden, c.heads, c.train, true))
				for _, name := range rounded.names {
					sameBits(t, name, rounded.tensors[name].Data, floats.tensors[name].Data)
				}
			})
		}
	}
}
