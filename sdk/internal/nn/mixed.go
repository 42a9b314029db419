package nn

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// mixed is what a pass over images of many tasks reads beside the backbone.
type mixed struct {
	arena      backend.Buffer
	bottleneck int // the largest of the resident tasks, rounded up
	classes    int // likewise
}

// declare makes m's operands part of a Program over batch images of a backbone of depth blocks.
func (m *mixed) declare(r *backend.Recorder, batch, depth int) backend.Mixed {
	return backend.Mixed{Mix: r.InputInts("mix", batch, backend.MixBlock+depth), Arena: r.Param("arena", m.arena, 0, m.arena.Len())}
}

// forwardMixed records block i for images of many tasks:
//
//	x' = x + Attn(LN1(x))
//	y  = (x' + s (ReLU(x' Wdown + bdown) Wup + bup)) + MLP(LN2(x'))
//
// Each image has its own branch, or none. The branch is added to x' first, in place: the images without one are then
// not touched at all. x, y [B T, D].
func (p *pass) forwardMixed(i int, x backend.Value) backend.Value {
	r, b, s := p.r, &p.v.blocks[i], &p.states[i]
	var n1, n2, z backend.Value
	n1, s.stats1 = r.LayerNorm(x, b.norm1)
	s.qkv = r.Linear(n1, b.qkv)
	s.o, s.lse = p.places[i].forward(r, s.qkv)
	s.mid = r.LinearResidual(s.o, b.proj, x)
	n2, s.stats2 = r.LayerNorm(s.mid, b.norm2)
	r.MixedAdapter(s.mid, p.mix, p.c.Batch, i, p.c.mixed.bottleneck)
	if b.swiglu {
		z = r.SwiGLU(r.Linear(n2, b.fc1))
	} else {
		z, _ = r.LinearGELU(n2, b.fc1, false)
	}
	return r.LinearResidual(z, b.fc2, s.mid)
}

// featuresMixed records the final norm, both poolings, each image's features and its head.
func (p *pass) featuresMixed(x backend.Value) backend.Value {
	v, r, prefix := p.v, p.r, p.v.cfg.PrefixTokens()
	if v.cfg.FCNorm && p.want[TapTokens] {
		r.Fail(errNoTokens)
		return backend.None
	}
	tokens, _ := r.LayerNorm(x, v.norm)
	if p.tap(TapTokens, tokens) {
		return backend.None
	}
	f, z := r.MixedFeatures(r.Pool(tokens, backend.PoolCLSMean, p.c.Batch, prefix), r.Pool(x, backend.PoolMean, p.c.Batch, prefix),
		p.mix, fcNormEps, headEps)
	if p.tap(TapFeatures, f) {
		return f
	}
	if p.want[TapOriginal] && v.head != nil {
		p.original(x, tokens)
	}
	if p.want[TapLogits] {
		p.tap(TapLogits, r.MixedHead(z, p.mix, p.c.mixed.classes))
	}
	return f
}
