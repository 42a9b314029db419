//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// Specialisation constants of the kernels over windows, by which they leave out what a layout does not need.
const (
	quadsID  = 1 // vectors of four channels in a head
	paddedID = 3
	maskedID = 4
)

// windows dispatches one of the kernels over all places of all windows; a thread of some variants takes several.
func (r *recording) windows(name string, w backend.Windows, qkv backend.Value, bindings ...backend.Value) error {
	_, columns := r.matrix(qkv)
	d := columns / (3 * w.Count)
	v, err := r.variant(name, d%4 == 0)
	if err != nil {
		return err
	}
	rows, cols, own := w.Rows, w.Columns, 1
	for i, c := range v.Spec {
		switch c.ID {
		case quadsID:
			v.spec[i] = uint32(ceil(d, 4))
		case ownID:
			own = int(v.spec[i])
		case paddedID:
			v.spec[i] = flag(rows.Padded() != rows.Tokens || cols.Padded() != cols.Tokens)
		case maskedID:
			v.spec[i] = flag(rows.Shift > 0 || cols.Shift > 0)
		}
	}
	n := w.Batch * w.Layout.Windows() * w.Count * ceil(w.Size(), own)
	return r.over(v, n, push(w.Batch, w.Count, d, float32(1/math.Sqrt(float64(d))), rows.Tokens, cols.Tokens, rows.Window, cols.Window,
		rows.Shift, cols.Shift, rows.Table, cols.Table, flag(w.PadFirst)), r.values(bindings...))
}

func (r *recording) windowAttention(o *backend.WindowAttention) error {
	return r.windows("windowattention", o.Windows, o.QKV, o.QKV, o.Pad, o.Table, o.O, o.LSE)
}

func (r *recording) windowProbs(o *backend.WindowProbs) error {
	return r.windows("windowprobs", o.Windows, o.QKV, o.QKV, o.Pad, o.Table, o.P)
}

func (r *recording) windowAttentionBackward(o *backend.WindowAttentionBackward) error {
	// Delta does not know windows.
	h := backend.Heads{Batch: o.Batch, Tokens: o.Tokens(), Count: o.Count}
	if err := r.heads("attention_delta", h, o.QKV, h.Batch*h.Tokens*h.Count, o.O, o.DO, o.Delta); err != nil {
		return err
	}
	for _, name := range []string{"windowattention_bwd_dq", "windowattention_bwd_dk"} {
		if err := r.windows(name, o.Windows, o.QKV, o.QKV, o.Pad, o.Table, o.LSE, o.DO, o.Delta, o.DQKV); err != nil {
			return err
		}
	}
	return r.windows("windowattention_bwd_dv", o.Windows, o.QKV, o.QKV, o.Pad, o.Table, o.LSE, o.DO, o.DQKV)
}
