//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// heads are the specialisation and push constants of the attention kernels.
func (r *recording) heads(h backend.Heads, qkv backend.Value) (spec []uint32, constants []byte) {
	_, n := r.matrix(qkv)
	d := n / (3 * h.Count)
	return []uint32{uint32(ceil(d, 4)), flag(d%4 == 0)}, push(h.Batch, h.Tokens, h.Count, d, float32(1/math.Sqrt(float64(d))))
}

func (r *recording) attention(o *backend.Attention) error {
	spec, constants := r.heads(o.Heads, o.QKV)
	return r.threads("attention", o.Batch*o.Tokens*o.Count, spec, constants, r.values(o.QKV, o.O, o.LSE))
}

func (r *recording) attentionProbs(o *backend.AttentionProbs) error {
	spec, constants := r.heads(o.Heads, o.QKV)
	return r.threads("attentionprobs", o.Batch*o.Tokens*o.Tokens*o.Count, spec, constants, r.values(o.QKV, o.LSE, o.P))
}

func (r *recording) attentionBackward(o *backend.AttentionBackward) error {
	spec, constants := r.heads(o.Heads, o.QKV)
	n := o.Batch * o.Tokens * o.Count
	if err := r.threads("attention_delta", n, spec, constants, r.values(o.O, o.DO, o.Delta)); err != nil {
		return err
	}
	if err := r.threads("attention_bwd_dq", n, spec, constants, r.values(o.QKV, o.LSE, o.DO, o.Delta, o.DQKV)); err != nil {
		return err
	}
	if err := r.threads("attention_bwd_dk", n, spec, constants, r.values(o.QKV, o.LSE, o.DO, o.Delta, o.DQKV)); err != nil {
		return err
	}
	return r.threads("attention_bwd_dv", n, spec, constants, r.values(o.QKV, o.LSE, o.DO, o.DQKV))
}
