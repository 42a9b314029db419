//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
)

// Specialisation constants of the kernels over windows, by which they leave out what a layout does not need.
const (
	paddedID = 3
	maskedID = 4
)

// windowChannels are the most that a thread of the kernels for many registers has in a head: it keeps two vectors.
const windowChannels = 32

// windows is what the kernels of one attention within windows share.
type windows struct {
	backend.Windows
	d    int
	half uint32 // whether qkv is float16
}

func (r *recording) windowsOf(w backend.Windows, qkv backend.Value) windows {
	_, columns := r.matrix(qkv)
	return windows{w, columns / (3 * w.Count), r.half(qkv)}
}

func (w windows) args() []byte {
	rows, cols := w.Rows, w.Columns
	return push(w.Batch, w.Count, w.d, float32(1/math.Sqrt(float64(w.d))), rows.Tokens, cols.Tokens, rows.Window, cols.Window,
		rows.Shift, cols.Shift, rows.Table, cols.Table, flag(w.PadFirst))
}

// pairs are windows and heads.
func (w windows) pairs() int { return w.Batch * w.Layout.Windows() * w.Count }

func (w windows) flags() map[uint32]uint32 {
	rows, cols := w.Rows, w.Columns
	return map[uint32]uint32{
		quadsID:  uint32(ceil(w.d, 4)),
		paddedID: flag(rows.Padded() != rows.Tokens || cols.Padded() != cols.Tokens),
		maskedID: flag(rows.Shift > 0 || cols.Shift > 0),
		halfID:   w.half,
	}
}

// places dispatches a variant over all places of all windows; a thread of some variants takes several.
func (r *recording) places(v variant, w windows, bindings ...backend.Value) error {
	for id, value := range w.flags() {
		v.set(id, value)
	}
	n := ceil(w.Size(), v.value(ownID, 1))
	if v.Needs&shaders.BigTiles != 0 { // a group has one window
		return r.groups(v, w.pairs()*ceil(n, int(v.spec[0])), w.args(), r.values(bindings...))
	}
	return r.over(v, w.pairs()*n, w.args(), r.values(bindings...))
}

// pairsOfWindows are the products that stand for a fused kernel over windows.
func pairsOfWindows(w windows) pairs {
	return pairs{word: "windowattention", most: windowChannels, n: w.pairs(), size: w.Size(), d: w.d, numbers: w.Batch * w.Tokens() * w.Count, args: w.args(), flags: w.flags()}
}

func (r *recording) windowAttention(o *backend.WindowAttention) error {
	w := r.windowsOf(o.Windows, o.QKV)
	v, ok, err := r.fused("windowattention", w.d, windowChannels)
	if err != nil {
		return err
	}
	if ok {
		return r.places(v, w, o.QKV, o.Pad, o.Table, o.O, o.LSE)
	}
	return r.pairsForward(pairsOfWindows(w), r.e.places[o.QKV], r.e.places[o.LSE], r.e.places[o.O], r.values(o.Table, o.Pad))
}

func (r *recording) windowProbs(o *backend.WindowProbs) error {
	w := r.windowsOf(o.Windows, o.QKV)
	v, err := r.variant("windowprobs", w.d%4 == 0)
	if err != nil {
		return err
	}
	return r.places(v, w, o.QKV, o.Pad, o.Table, o.P)
}

func (r *recording) windowAttentionBackward(o *backend.WindowAttentionBackward) error {
	w := r.windowsOf(o.Windows, o.QKV)
	// Delta does not know windows.
	h := heads{backend.Heads{Batch: o.Batch, Tokens: o.Tokens(), Count: o.Count}, w.d}
	if err := r.each("attention_delta", h, h.rows(), o.O, o.DO, o.Delta); err != nil {
		return err
	}
	for _, k := range []struct {
		name     string
		bindings []backend.Value
	}{
		{"windowattention_bwd_dq", []backend.Value{o.QKV, o.Pad, o.Table, o.LSE, o.DO, o.Delta, o.DQKV}},
		{"windowattention_bwd_dk", []backend.Value{o.QKV, o.Pad, o.Table, o.LSE, o.DO, o.Delta, o.DQKV}},
		{"windowattention_bwd_dv", []backend.Value{o.QKV, o.Pad, o.Table, o.LSE, o.DO, o.DQKV}},
	} {
		v, ok, err := r.fused(k.name, w.d, windowChannels)
		if err != nil {
			return err
		}
		if !ok {
			return r.pairsBackward(pairsOfWindows(w), r.e.places[o.QKV], r.gradient(o.DO, o.Delta, o.DQKV), r.values(o.Table, o.Pad))
		}
		if err := r.places(v, w, k.bindings...); err != nil {
			return err
		}
	}
	return nil
}
