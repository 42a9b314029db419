package nn

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// block is one pre-norm transformer block. Layer scale, where the family has it, is folded into proj and fc2.
type block struct {
	norm1, norm2        backend.Norm
	qkv, proj, fc1, fc2 backend.Frozen
	swiglu              bool // of the MLP, else GELU

	// Of a Swin, else nil.
	table backend.Buffer // relative position bias
	merge *merge         // before the first block of each stage but the first
}

// blockState is what a block's forward pass leaves for its backward pass.
type blockState struct {
	merged         mergeState    // of the patch merging before it
	x, mid         backend.Value // the block's input; after the attention residual
	stats1, stats2 backend.NormStats
	n1, n2, z      backend.Value // what qkv, fc1 and fc2 read
	qkv, o, lse    backend.Value
	dgelu          backend.Value // GELU's derivative, None with SwiGLU
	gate           backend.Value // SwiGLU's input, None with GELU
	branch         branchState   // where there is one
}

// forward records
//
//	x' = x + Attn(LN1(x))
//	y  = x' + MLP(LN2(x')) + s (dropout(ReLU(x' Wdown + bdown)) Wup + bup)
//
// x, y [B T, D]. The branch reads x' without LayerNorm, as the AdaptFormer authors' code does and unlike the paper's
// formula; it is absent where br is nil, and a sequential one reads MLP(LN2(x')). With train it keeps what backward needs.
func (b *block) forward(r *backend.Recorder, x backend.Value, a attention, br *branch, train bool) (backend.Value, blockState) {
	s := blockState{x: x}
	s.n1, s.stats1 = r.LayerNorm(x, b.norm1)
	qkv := b.qkv
	qkv.Half = qkv.Half && !train
	s.qkv = r.Linear(s.n1, qkv)
	s.o, s.lse = a.forward(r, s.qkv)
	s.mid = r.LinearResidual(s.o, b.proj, x)
	s.n2, s.stats2 = r.LayerNorm(s.mid, b.norm2)
	if b.swiglu {
		s.gate = r.Linear(s.n2, b.fc1)
		s.z = r.SwiGLU(s.gate)
	} else {
		s.z, s.dgelu = r.LinearGELU(s.n2, b.fc1, train)
	}
	z := s.z
	if br == nil {
		return r.LinearResidual(z, b.fc2, s.mid), s
	}
	if br.fused() {
		s.branch = br.forward(r, s.mid)
		return r.LinearResidualAdapter(z, b.fc2, s.mid,
			backend.Branch{Hidden: s.branch.hidden, Up: s.branch.up, UpBias: s.branch.bias, Scale: s.branch.scale}), s
	}
	var in, y backend.Value
	if br.sequential() {
		in = r.Linear(z, b.fc2)
		y = r.Add(s.mid, in)
	} else {
		in = s.mid
		y = r.LinearResidual(z, b.fc2, s.mid)
	}
	s.branch = br.forward(r, in)
	return r.Add(y, br.output(r, &s.branch)), s
}

// backward records dL/dx from g = dL/dy, in place of g; d is what the branch's own backward pass returned, nil without one.
// The frozen weights have no gradient.
func (b *block) backward(r *backend.Recorder, s blockState, a attention, g backend.Value, d *branchGrad) backend.Value {
	dm := g // at the MLP's output
	if d != nil && d.b.sequential() {
		dm = r.Add(g, d.into(r, backend.None))
	}
	dz := r.LinearBackward(dm, b.fc2, s.dgelu)
	if b.swiglu {
		dz = r.SwiGLUBackward(s.gate, dz)
	}
	dn2 := r.LinearBackward(dz, b.fc1, backend.None)
	if d != nil && !d.b.sequential() {
		g = d.into(r, g)
	}
	g = r.LayerNormBackward(s.mid, b.norm2, s.stats2, dn2, g)
	do := r.LinearBackward(g, b.proj, backend.None)
	dqkv := a.backward(r, s.qkv, s.o, s.lse, do)
	dn1 := r.LinearBackward(dqkv, b.qkv, backend.None)
	return r.LayerNormBackward(s.x, b.norm1, s.stats1, dn1, g)
}
