package backendtest

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/golden"
)

// linearSizes are m, n, k, and r of the adapter: a single one, primes, a tile of 64 and its neighbours, and whole vectors
// and words throughout.
var linearSizes = []struct{ m, n, k, r int }{{1, 1, 1, 1}, {7, 37, 5, 7}, {65, 63, 64, 16}, {37, 130, 197, 64}, {37, 68, 96, 8}}

// linear is one frozen layer with its epilogue.
func linear(scheme quant.Scheme, e backend.Epilogue, m, n, k, r int, scale float32) func(g *graph) {
	return func(g *graph) {
		x, f := g.items("x", m, m, k), g.frozen("w", scheme, n, k)
		switch e {
		case backend.EpiNone:
			g.read("y", g.Linear(x, f))
		case backend.EpiResidual:
			g.read("y", g.LinearResidual(x, f, g.items("residual", m, m, n)))
		case backend.EpiGELU:
			y, derivative := g.LinearGELU(x, f, true)
			g.read("y", y)
			g.read("gelu'", derivative)
		case backend.EpiResidualAdapter:
			b := backend.Branch{Hidden: g.items("hidden", m, m, r), Up: g.param("up", n, r), UpBias: g.param("up bias", n), Scale: scale}
			g.read("y", g.LinearResidualAdapter(x, f, g.items("residual", m, m, n), b))
		}
	}
}

// swappedGroups is linear with the scales of the first two groups of each row exchanged.
func swappedGroups(g *graph) {
	x, f := g.items("x", 7, 7, 197), g.frozenEdited("w", quant.Q4G, 37, 197, func(m *quant.Matrix) {
		for r := range m.Rows {
			s := m.GroupScale[r*m.Groups():]
			s[0], s[1] = s[1], s[0]
		}
	})
	g.read("y", g.Linear(x, f))
}

func testLinear(t *testing.T, s suite) {
	epilogues := []string{"plain", "residual", "gelu", "adapter"}
	for _, scheme := range quant.Schemes {
		for e, word := range epilogues {
			for _, c := range linearSizes {
				s.check(t, fmt.Sprintf("%s %s %dx%dx%d r %d", scheme, word, c.m, c.n, c.k, c.r),
					linear(scheme, backend.Epilogue(e), c.m, c.n, c.k, c.r, 0.1))
			}
			s.independent(t, fmt.Sprintf("%s %s", scheme, word), 70, func(g *graph, n int) {
				linear(scheme, backend.Epilogue(e), n, 65, 67, 7, 0.1)(g)
			})
		}
	}
	s.check(t, "gelu without its derivative", func(g *graph) {
		y, _ := g.LinearGELU(g.items("x", 7, 7, 5), g.frozen("w", quant.F32, 37, 5), false)
		g.read("y", y)
	})
	s.rejects(t, "no residual", linear(quant.F32, backend.EpiResidual, 7, 37, 5, 7, 0), linear(quant.F32, backend.EpiNone, 7, 37, 5, 7, 0))
	s.rejects(t, "another adapter scale", linear(quant.Q8C, backend.EpiResidualAdapter, 7, 37, 5, 7, 0.1), linear(quant.Q8C, backend.EpiResidualAdapter, 7, 37, 5, 7, 0.101))
	s.rejects(t, "q8c as if f32", linear(quant.Q8C, backend.EpiNone, 7, 37, 197, 7, 0), linear(quant.F32, backend.EpiNone, 7, 37, 197, 7, 0))
	s.rejects(t, "groups of 32 as if 64", linear(quant.Q4G32, backend.EpiNone, 7, 37, 197, 7, 0), linear(quant.Q4G, backend.EpiNone, 7, 37, 197, 7, 0))
	s.rejects(t, "swapped groups", linear(quant.Q4G, backend.EpiNone, 7, 37, 197, 7, 0), swappedGroups)
	t.Run("rejects tanh gelu", func(t *testing.T) { s.rejectsTanh(t) })
}

// rejectsTanh holds the device's GELU against the tanh approximation of its own sums, 4.7e-4 away at the worst.
func (s suite) rejectsTanh(t *testing.T) {
	sums := run(t, s.be, 0, linear(quant.F32, backend.EpiNone, 37, 63, 64, 1, 0)).tensors["y"]
	gelu := run(t, s.be, 0, linear(quant.F32, backend.EpiGELU, 37, 63, 64, 1, 0)).tensors["y"]
	for i, v := range sums.Data {
		x := float64(v)
		sums.Data[i] = float32(0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x))))
	}
	if w := golden.RelMax(gelu.Data, sums); w.Error < 2*float64(s.tol) {
		t.Errorf("tanh-GELU differs by %.3g only, the tolerance is %.3g", w.Error, s.tol)
	}
}

// blocks are activation blocks: whole rows, heads, and one that divides no size.
var blocks = []int{quant.PerToken, quant.ActivationBlock, 16}

// testLinearInt8 covers int8 activations.
func testLinearInt8(t *testing.T, s suite) {
	for _, scheme := range quant.Schemes {
		if scheme.Integers() {
			s.linearInt8(t, scheme)
		}
	}
}

// testLinearBackwardInt8 covers int8 gradients; devices without int8 refuse them.
func testLinearBackwardInt8(t *testing.T, s suite) {
	gradient := func(block, m, n, k int, gelu bool) func(g *graph) {
		return func(g *graph) {
			g.block = block
			linearBackward(quant.Q8C, m, n, k, gelu)(g)
		}
	}
	if !s.be.Info().Int8 {
		s.refuses(t, gradient(16, 7, 37, 197, false))
		return
	}
	for _, block := range blocks {
		for _, c := range linearSizes {
			s.check(t, fmt.Sprintf("%dx%dx%d block %d", c.m, c.n, c.k, block), gradient(block, c.m, c.n, c.k, false))
			if block == quant.ActivationBlock {
				s.check(t, fmt.Sprintf("%dx%dx%d block %d gelu", c.m, c.n, c.k, block), gradient(block, c.m, c.n, c.k, true))
			}
		}
	}
	s.rejects(t, "float gradients", gradient(16, 7, 37, 197, false), gradient(0, 7, 37, 197, false))
}

// linearInt8 covers the forward pass of one scheme.
func (s suite) linearInt8(t *testing.T, scheme quant.Scheme) {
	layer := func(e backend.Epilogue, block, m, n, k, r int) func(g *graph) {
		return func(g *graph) {
			g.block = block
			linear(scheme, e, m, n, k, r, 0.1)(g)
		}
	}
	for e, word := range []string{"plain", "residual", "gelu", "adapter"} {
		blocks, sizes := blocks, linearSizes
		if word != "plain" { // the sums are the same
			blocks, sizes = blocks[e%2:][:1], sizes[2:]
		}
		word = string(scheme) + " " + word
		for _, block := range blocks {
			for _, c := range sizes {
				s.check(t, fmt.Sprintf("%s %dx%dx%d r %d block %d", word, c.m, c.n, c.k, c.r, block), layer(backend.Epilogue(e), block, c.m, c.n, c.k, c.r))
			}
			s.independent(t, fmt.Sprintf("%s block %d", word, block), 70, func(g *graph, n int) {
				layer(backend.Epilogue(e), block, n, 65, 67, 7)(g)
			})
		}
	}
	s.rejects(t, string(scheme)+" float activations", layer(backend.EpiNone, quant.PerToken, 7, 37, 197, 1), layer(backend.EpiNone, 0, 7, 37, 197, 1))
	s.rejects(t, string(scheme)+" another block", layer(backend.EpiNone, 64, 7, 37, 197, 1), layer(backend.EpiNone, quant.PerToken, 7, 37, 197, 1))
}

// linearBackward is the input gradient of one frozen layer.
func linearBackward(scheme quant.Scheme, m, n, k int, gelu bool) func(g *graph) {
	return func(g *graph) {
		var d backend.Value
		if gelu {
			d = g.items("gelu'", m, m, k)
		}
		g.read("dx", g.LinearBackward(g.items("dy", m, m, n), g.frozen("w", scheme, n, k), d))
	}
}

func testLinearBackward(t *testing.T, s suite) {
	for _, scheme := range quant.Schemes {
		for _, c := range linearSizes {
			name := fmt.Sprintf("%s %dx%dx%d", scheme, c.m, c.n, c.k)
			s.check(t, name, linearBackward(scheme, c.m, c.n, c.k, false))
			s.check(t, name+" gelu", linearBackward(scheme, c.m, c.n, c.k, true))
		}
	}
	s.rejects(t, "no gelu'", linearBackward(quant.Q8C, 7, 37, 5, true), linearBackward(quant.Q8C, 7, 37, 5, false))
	// Equal row scales hide a missing scale; those of frozen differ, so f32 of the same weights is as far as rounding.
	s.rejects(t, "q8c as if f32", linearBackward(quant.Q8C, 7, 37, 197, false), linearBackward(quant.F32, 7, 37, 197, false))
}
