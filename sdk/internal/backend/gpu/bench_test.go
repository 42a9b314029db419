//go:build linux && !android && cgo && !novulkan

package gpu_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/shaders"
	"golang.org/x/sys/unix"
)

// bench times a Program of one operator and reports its rate; macs are its multiply-adds.
type bench struct {
	*backend.Recorder
	b  *testing.B
	be backend.Backend
}

func (c bench) must(err error) {
	c.b.Helper()
	if err != nil {
		c.b.Fatal(err)
	}
}

func (c bench) buffer(n int) backend.Buffer {
	buf, err := c.be.NewBuffer("buffer", n)
	c.must(err)
	c.b.Cleanup(func() { buf.Close() })
	return buf
}

func (c bench) param(shape ...int) backend.Value {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return c.Param("param", c.buffer(n), 0, shape...)
}

func (c bench) frozen(s quant.Scheme, n, k int) backend.Frozen {
	m, err := quant.Quantize(s, make([]float32, n*k), n, k)
	c.must(err)
	w, err := c.be.NewWeight("weight", m)
	c.must(err)
	c.b.Cleanup(func() { w.Close() })
	return backend.Frozen{W: w, Bias: c.buffer(n)}
}

// operator runs one benchmark for each way of choosing variants: what the device prefers, and what every device gets.
func operator(b *testing.B, name string, macs int, record func(c bench)) {
	for _, as := range []struct {
		word string
		has  *shaders.Feature
	}{{"preferred", nil}, {"base", new(shaders.Feature)}} {
		b.Run(name+"/"+as.word, func(b *testing.B) {
			gputest.Require(b)
			be, err := gpu.Open("vulkan:0", gpu.Options{Untested: true, As: as.has})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { be.Close() })
			c := bench{backend.NewRecorder(), b, be}
			record(c)
			p, err := c.Finish()
			c.must(err)
			e, err := be.Compile(p)
			c.must(err)
			b.Cleanup(func() { e.Close() })
			c.must(e.Run(context.Background())) // the driver compiles at the first run
			busy := cpuSeconds()
			for b.Loop() {
				c.must(e.Run(context.Background()))
			}
			b.ReportMetric(float64(macs)*float64(b.N)/(cpuSeconds()-busy)/1e9, "GMAC/cpu-s")
			b.ReportMetric(float64(macs)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GMAC/s")
		})
	}
}

// cpuSeconds is the processor time of this process, all threads: what a software driver costs on a busy machine.
func cpuSeconds() float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + 1e-6*float64(u.Utime.Usec+u.Stime.Usec)
}

// BenchmarkLinear: the layers of a ViT-S, one picture of 112 pixels and a batch of 32.
func BenchmarkLinear(b *testing.B) {
	for _, scheme := range []quant.Scheme{quant.Q8C, quant.F32} {
		for _, m := range []int{65, 2080} {
			for _, l := range []struct{ n, k int }{{1152, 384}, {384, 384}, {1536, 384}, {384, 1536}} {
				operator(b, fmt.Sprintf("%s/tokens=%d/in=%d/out=%d", scheme, m, l.k, l.n), m*l.n*l.k, func(c bench) {
					c.Linear(c.param(m, l.k), c.frozen(scheme, l.n, l.k))
				})
			}
		}
	}
}

// BenchmarkInt8: the layers of a ViT-S on one picture of 224 pixels, their inputs rounded on the way.
func BenchmarkInt8(b *testing.B) {
	const m = 197
	for _, l := range []struct {
		name        string
		n, k, block int
	}{{"qkv", 1152, 384, 384}, {"proj", 384, 384, 64}, {"fc1", 1536, 384, 384}, {"fc2", 384, 1536, 64}} {
		for _, block := range []int{l.block, 0} {
			operator(b, fmt.Sprintf("%s/block=%d", l.name, block), m*l.n*l.k, func(c bench) {
				f := c.frozen(quant.Q8C, l.n, l.k)
				f.Block = block
				c.Linear(c.param(m, l.k), f)
			})
		}
		operator(b, l.name+"/gradient", m*l.n*l.k, func(c bench) {
			f := c.frozen(quant.Q8C, l.n, l.k)
			f.GradBlock = 64
			c.LinearBackward(c.param(m, l.n), f, backend.None)
		})
	}
}

func BenchmarkLinearBackward(b *testing.B) {
	for _, m := range []int{65, 2080} {
		for _, l := range []struct{ n, k int }{{1152, 384}, {384, 1536}} {
			operator(b, fmt.Sprintf("q8c/tokens=%d/in=%d/out=%d", m, l.k, l.n), m*l.n*l.k, func(c bench) {
				c.LinearBackward(c.param(m, l.n), c.frozen(quant.Q8C, l.n, l.k), backend.None)
			})
		}
	}
}

// BenchmarkAttention counts 2 T D multiply-adds a token, and 7 T D for the gradient.
func BenchmarkAttention(b *testing.B) {
	const heads, dim = 6, 384
	for _, c := range []struct{ batch, tokens int }{{32, 65}, {1, 197}, {1, 257}, {1, 1370}} {
		h := backend.Heads{Batch: c.batch, Tokens: c.tokens, Count: heads}
		m := c.batch * c.tokens
		operator(b, fmt.Sprintf("forward/batch=%d/tokens=%d", c.batch, c.tokens), 2*m*c.tokens*dim, func(c bench) {
			c.Attention(c.param(m, 3*dim), h)
		})
		operator(b, fmt.Sprintf("backward/batch=%d/tokens=%d", c.batch, c.tokens), 7*m*c.tokens*dim, func(c bench) {
			c.AttentionBackward(c.param(m, 3*dim), c.param(m, dim), c.param(h.Batch, h.Count, h.Tokens), c.param(m, dim), h)
		})
	}
}

// BenchmarkAdapter: the trainable products of a block with a bottleneck of 64.
func BenchmarkAdapter(b *testing.B) {
	const m, d, r = 2080, 384, 64
	operator(b, "down", m*d*r, func(c bench) { c.AdaptDown(c.param(m, d), c.param(r, d), c.param(r), backend.Dropout{}) })
	operator(b, "down_bwd_x", m*d*r, func(c bench) { c.AdaptDownBackward(c.param(m, d), c.param(d, r), c.param(m, r), 1) })
	operator(b, "weightgrad", m*d*r, func(c bench) { c.WeightGrad(c.param(m, d), c.param(m, r), c.param(d, r), 1) })
	operator(b, "matmul", m*d*r, func(c bench) { c.MatMul(c.param(m, r), c.param(r, d), c.param(m, d)) })
	operator(b, "layernorm", m*d, func(c bench) {
		c.LayerNorm(c.param(m, d), backend.Norm{Gamma: c.buffer(d), Beta: c.buffer(d), Eps: 1e-6})
	})
	operator(b, "patchembed", m*d*588, func(c bench) {
		c.PatchEmbed(c.param(32, 3, 112, 112), c.param(d, 588), c.param(d), c.param(1, d), c.param(64, d), 14)
	})
}
