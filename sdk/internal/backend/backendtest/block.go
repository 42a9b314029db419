package backendtest

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// tiny is a model of one block with everything that a training step has: images to loss, and back to the branch and
// the input tokens. Its temporaries share memory, so that a wrong lifetime or a missing barrier shows.
type tiny struct {
	scheme                                quant.Scheme
	batch, dim, hidden, bottleneck, class int
	heads                                 int
	dropout                               float32
	branchScale                           float32
}

const (
	tinySide, tinyPatch = 6, 2
	tinyTokens          = 1 + (tinySide/tinyPatch)*(tinySide/tinyPatch)
)

// tinyBlock is the frozen block and what its forward pass leaves for its backward pass.
type tinyBlock struct {
	norm1, norm2                           backend.Norm
	qkv, proj, fc1, fc2                    backend.Frozen
	heads                                  backend.Heads
	stats1, stats2                         backend.NormStats
	x, qkvRows, o, lse, mid, dgelu, hidden backend.Value
	down, up                               backend.Value
}

func (c tiny) step(g *graph) {
	b := c.block(g)
	y, features, final, norm := c.forward(g, b)
	g.read("y", y)
	xh, rstd := g.BatchNormTrain(features, g.stats(c.dim, 1e-6, 0.1))
	w := g.updated("head", normal("head", 0, c.class*c.dim), c.class, c.dim)
	logits := g.Affine(xh, w, g.param("head bias", c.class))
	target := make([]int32, c.batch)
	for i := range target {
		target[i] = int32(i % c.class)
	}
	loss, dz := g.CrossEntropy(logits, g.inputInts("target", target...), 1/float32(c.batch), 0)
	g.read("logits", logits)
	g.read("loss", loss)

	dw := g.gradient("dhead", c.class, c.dim)
	g.WeightGrad(dz, xh, dw, 1)
	df := g.BatchNormBackward(xh, rstd, g.MatMul(dz, w, backend.None))
	d := g.LayerNormBackward(y, norm, final, g.PoolBackward(df, y, backend.PoolCLS, c.batch, 1), backend.None)
	g.read("dx", c.backward(g, b, d))
	velocity := g.updated("velocity", normal("velocity", 0, c.class*c.dim), c.class, c.dim)
	g.SGD(w, dw, velocity, g.input("lr", []float32{0.1}, 1), 0.9, 0)
}

func (c tiny) block(g *graph) *tinyBlock {
	return &tinyBlock{norm1: g.norm("norm1", c.dim, 1e-6), norm2: g.norm("norm2", c.dim, 1e-6),
		qkv: g.frozen("qkv", c.scheme, 3*c.dim, c.dim), proj: g.frozen("proj", c.scheme, c.dim, c.dim),
		fc1: g.frozen("fc1", c.scheme, c.hidden, c.dim), fc2: g.frozen("fc2", c.scheme, c.dim, c.hidden),
		heads: backend.Heads{Batch: c.batch, Tokens: tinyTokens, Count: c.heads}}
}

// forward returns the block's output, the class tokens after the final norm, and that norm with its statistics.
func (c tiny) forward(g *graph, b *tinyBlock) (y, features backend.Value, stats backend.NormStats, norm backend.Norm) {
	image := g.items("image", c.batch, c.batch, 3, tinySide, tinySide)
	b.x = g.PatchEmbed(image, g.param("patch", c.dim, 3*tinyPatch*tinyPatch), g.param("patch bias", c.dim),
		g.param("prefix", 1, c.dim), g.param("pos", tinyTokens-1, c.dim), tinyPatch)
	n1, s1 := g.LayerNorm(b.x, b.norm1)
	b.stats1, b.qkvRows = s1, g.Linear(n1, b.qkv)
	b.o, b.lse = g.Attention(b.qkvRows, b.heads)
	b.mid = g.LinearResidual(b.o, b.proj, b.x)
	n2, s2 := g.LayerNorm(b.mid, b.norm2)
	b.stats2 = s2
	var z backend.Value
	z, b.dgelu = g.LinearGELU(n2, b.fc1, true)
	b.down, b.up = g.param("down", c.bottleneck, c.dim), g.param("up", c.dim, c.bottleneck)
	b.hidden = g.AdaptDown(b.mid, b.down, g.param("down bias", c.bottleneck), drop{c.dropout, 17, 3}.record(g))
	y = g.LinearResidualAdapter(z, b.fc2, b.mid, backend.Branch{Hidden: b.hidden, Up: b.up, UpBias: g.param("up bias", c.dim), Scale: c.branchScale})
	norm = g.norm("norm", c.dim, 1e-6)
	tokens, stats := g.LayerNorm(y, norm)
	return y, g.Pool(tokens, backend.PoolCLS, c.batch, 1), stats, norm
}

// backward returns the gradient at the block's input from d at its output.
func (c tiny) backward(g *graph, b *tinyBlock, d backend.Value) backend.Value {
	dh := g.AdaptDownBackward(d, b.up, b.hidden, c.branchScale/(1-c.dropout))
	g.WeightGrad(d, b.hidden, g.gradient("dup", c.dim, c.bottleneck), c.branchScale)
	g.BiasGrad(d, g.gradient("dup bias", c.dim), c.branchScale)
	g.WeightGrad(dh, b.mid, g.gradient("ddown", c.bottleneck, c.dim), 1)
	g.BiasGrad(dh, g.gradient("ddown bias", c.bottleneck), 1)
	dn2 := g.LinearBackward(g.LinearBackward(d, b.fc2, b.dgelu), b.fc1, backend.None)
	d = g.LayerNormBackward(b.mid, b.norm2, b.stats2, dn2, g.MatMul(dh, b.down, d))
	do := g.LinearBackward(d, b.proj, backend.None)
	dn1 := g.LinearBackward(g.AttentionBackward(b.qkvRows, b.o, b.lse, do, b.heads), b.qkv, backend.None)
	return g.LayerNormBackward(b.x, b.norm1, b.stats1, dn1, d)
}

func testBlock(t *testing.T, s suite) {
	c := tiny{batch: 8, dim: 24, hidden: 96, bottleneck: 5, class: 3, heads: 2, dropout: 0.1, branchScale: 0.7}
	for _, scheme := range quant.Schemes {
		c.scheme = scheme
		// Errors of some thirty operators add up, and the BatchNorm over eight images enlarges them.
		s.checkWithin(t, string(scheme), 20, c.step)
	}
	other := c
	other.branchScale = 0.71
	s.rejects(t, "another branch scale", c.step, other.step)
	s.independent(t, "inference", 3, func(g *graph, n int) {
		c := c
		c.batch, c.dropout = n, 0
		y, features, _, _ := c.forward(g, c.block(g))
		g.read("y", y)
		g.read("features", features)
	})
}
