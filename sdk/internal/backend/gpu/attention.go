//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// ownID is the specialisation constant of how many tokens a thread owns.
const ownID = 2

// heads dispatches one of the attention kernels over n items; a thread of some variants takes several of its tokens.
func (r *recording) heads(name string, h backend.Heads, qkv backend.Value, n int, bindings ...backend.Value) error {
	_, columns := r.matrix(qkv)
	d := columns / (3 * h.Count)
	v, err := r.variant(name, d%4 == 0)
	if err != nil {
		return err
	}
	v.spec[1] = uint32(ceil(d, 4)) // vectors of a head
	if len(v.spec) > 2 && v.Spec[2].ID == ownID {
		n = n / h.Tokens * ceil(h.Tokens, int(v.spec[2]))
	}
	return r.over(v, n, push(h.Batch, h.Tokens, h.Count, d, float32(1/math.Sqrt(float64(d)))), r.values(bindings...))
}

func (r *recording) attention(o *backend.Attention) error {
	return r.heads("attention", o.Heads, o.QKV, o.Batch*o.Tokens*o.Count, o.QKV, o.O, o.LSE)
}

func (r *recording) attentionProbs(o *backend.AttentionProbs) error {
	return r.heads("attentionprobs", o.Heads, o.QKV, o.Batch*o.Tokens*o.Tokens*o.Count, o.QKV, o.LSE, o.P)
}

func (r *recording) attentionBackward(o *backend.AttentionBackward) error {
	n := o.Batch * o.Tokens * o.Count
	if err := r.heads("attention_delta", o.Heads, o.QKV, n, o.O, o.DO, o.Delta); err != nil {
		return err
	}
	if err := r.heads("attention_bwd_dq", o.Heads, o.QKV, n, o.QKV, o.LSE, o.DO, o.Delta, o.DQKV); err != nil {
		return err
	}
	if err := r.heads("attention_bwd_dk", o.Heads, o.QKV, n, o.QKV, o.LSE, o.DO, o.Delta, o.DQKV); err != nil {
		return err
	}
	return r.heads("attention_bwd_dv", o.Heads, o.QKV, n, o.QKV, o.LSE, o.DO, o.DQKV)
}
