package nn

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// mixed is what a pass over images of many tasks reads beside the backbone.
type mixed struct {
	arena      backend.Buffer
	bottleneck int // the largest of the resident tasks, rounded up
	classes    int // likewise
	options    int // of any task of the batch: bits of backend.MixOptions
}

// declare makes m's operands part of a Program over batch images of a backbone of depth blocks.
func (m *mixed) declare(r *backend.Recorder, batch, depth int) backend.Mixed {
	return backend.Mixed{Mix: r.InputInts("mix", batch, backend.MixBranch(depth)), Arena: r.Param("arena", m.arena, 0, m.arena.Len())}
}

// forwardMixed records block i for images of many tasks:
//
//	x' = x + Attn(LN1(x))
//	y  = (x' + s (ReLU(x' Wdown + bdown) Wup + bup)) + MLP(LN2(x'))
//
// Each image has its own branch, or none. The branch is added to x' first, in place: the images without one are then
// not touched at all. Sequential branches are added to y, in place too, and read the MLP's output, which the last layer
// computes once more for them: in y it is summed up already. x, y [B T, D].
func (p *pass) forwardMixed(i int, x backend.Value) backend.Value {
	r, b, s := p.r, &p.v.blocks[i], &p.states[i]
	var n1, n2, z backend.Value
	n1, s.stats1 = r.LayerNorm(x, b.norm1)
	s.qkv = r.Linear(n1, b.qkv)
	s.o, s.lse = p.places[i].forward(r, s.qkv)
	s.mid = r.LinearResidual(s.o, b.proj, x)
	n2, s.stats2 = r.LayerNorm(s.mid, b.norm2)
	br := backend.MixedAdapter{Mixed: p.mix, Batch: p.c.Batch, Block: i, Bottleneck: p.c.mixed.bottleneck,
		Norms: p.c.mixed.options&(backend.MixNormIn|backend.MixNormOut) != 0, NormEps: branchEps}
	r.MixedAdapter(s.mid, s.mid, br)
	if b.swiglu {
		z = r.SwiGLU(r.Linear(n2, b.fc1))
	} else {
		z, _ = r.LinearGELU(n2, b.fc1, false)
	}
	y := r.LinearResidual(z, b.fc2, s.mid)
	if br.Sequential = p.c.mixed.options&backend.MixSequential != 0; br.Sequential {
		r.MixedAdapter(y, r.Linear(z, b.fc2), br)
	}
	return y
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
