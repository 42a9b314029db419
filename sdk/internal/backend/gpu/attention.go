//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/pkg/errors"
)

// Specialisation constants of the kernels that walk over the tokens of a head.
const (
	quadsID = 1 // vectors of four channels in a head
	ownID   = 2 // tokens of a thread; in the flash kernels, which have one each, tokens met at a time
)

// flashChannels are the most that a thread of the kernels for many registers has in a head: 64 sums are in registers,
// and a group's 64 vectors fill the 16 KiB of shared memory that every device has.
const flashChannels = 64

// fused finds the variant that does a whole operator over heads of d channels at once; ok is false where this device has
// none, and the operator becomes products of matrices (pairs.go).
func (r *recording) fused(name string, d, most int) (v variant, ok bool, err error) {
	without := shaders.Feature(0)
	if d%4 != 0 || d > most {
		without = shaders.BigTiles
	}
	v, err = r.variantWithout(name, d%4 == 0, without)
	if errors.Is(err, shaders.ErrNoKernel) || errors.Is(err, backend.ErrFaulty) {
		return v, false, nil
	}
	v.set(quadsID, uint32(ceil(d, 4)))
	return v, err == nil, err
}

// heads is what the kernels of one attention share.
type heads struct {
	backend.Heads
	d int
}

func (r *recording) headsOf(h backend.Heads, qkv backend.Value) heads {
	_, columns := r.matrix(qkv)
	return heads{h, columns / (3 * h.Count)}
}

func (h heads) scale() float32 { return float32(1 / math.Sqrt(float64(h.d))) }
func (h heads) rows() int      { return h.Batch * h.Tokens * h.Count }

// each dispatches a kernel with a thread for each of n items.
func (r *recording) each(name string, h heads, n int, bindings ...backend.Value) error {
	v, err := r.variant(name, h.d%4 == 0)
	if err != nil {
		return err
	}
	v.set(halfID, r.half(bindings[0])) // qkv, or what is never float16
	return r.over(v, n, push(h.Batch, h.Tokens, h.Count, h.d, h.scale()), r.values(bindings...))
}

// flash dispatches a fused variant over the tokens of all heads.
func (r *recording) flash(v variant, h heads, bindings ...backend.Value) error {
	args, b := push(h.Batch, h.Tokens, h.Count, h.d, h.scale()), r.values(bindings...)
	switch { // groups with one head each
	case v.Needs&shaders.BigTiles != 0:
		return r.groups(v, h.Batch*h.Count*ceil(h.Tokens, int(v.spec[0])), args, b)
	case v.value(lanesID, 0) != 0:
		return r.groups(v, h.Batch*h.Count*ceil(h.Tokens, int(v.spec[0])*v.value(ownID, 1)), args, b)
	}
	return r.over(v, h.Batch*h.Count*ceil(h.Tokens, v.value(ownID, 1)), args, b)
}

// pairsOf are the products that stand for a fused kernel over heads.
func (r *recording) pairsOf(h heads, qkv backend.Value) pairs {
	return pairs{flags: map[uint32]uint32{halfID: r.half(qkv)}, word: "attention", most: flashChannels, n: h.Batch * h.Count, size: h.Tokens, d: h.d, numbers: h.rows(), args: push(h.Batch, h.Tokens, h.Count, h.d, h.scale())}
}

func (r *recording) attention(o *backend.Attention) error {
	h := r.headsOf(o.Heads, o.QKV)
	name := "attention"
	if r.rounded[o.O] > 0 {
		name = "attention_round"
	}
	v, ok, err := r.fused(name, h.d, flashChannels)
	if err != nil {
		return err
	}
	if ok {
		v.set(halfID, r.half(o.QKV))
		return r.flash(v, h, o.QKV, o.O, o.LSE)
	}
	return r.pairsForward(r.pairsOf(h, o.QKV), r.e.places[o.QKV], r.e.places[o.LSE], r.e.places[o.O], nil)
}

func (r *recording) attentionProbs(o *backend.AttentionProbs) error {
	h := r.headsOf(o.Heads, o.QKV)
	return r.each("attentionprobs", h, h.rows()*h.Tokens, o.QKV, o.LSE, o.P)
}

func (r *recording) attentionBackward(o *backend.AttentionBackward) error {
	h := r.headsOf(o.Heads, o.QKV)
	if err := r.each("attention_delta", h, h.rows(), o.O, o.DO, o.Delta); err != nil {
		return err
	}
	for _, k := range []struct {
		name     string
		bindings []backend.Value
	}{
		{"attention_bwd_dq", []backend.Value{o.QKV, o.LSE, o.DO, o.Delta, o.DQKV}},
		{"attention_bwd_dk", []backend.Value{o.QKV, o.LSE, o.DO, o.Delta, o.DQKV}},
		{"attention_bwd_dv", []backend.Value{o.QKV, o.LSE, o.DO, o.DQKV}},
	} {
		v, ok, err := r.fused(k.name, h.d, flashChannels)
		if err != nil {
			return err
		}
		if !ok {
			return r.pairsBackward(r.pairsOf(h, o.QKV), r.e.places[o.QKV], r.gradient(o.DO, o.Delta, o.DQKV), nil)
		}
		if err := r.flash(v, h, k.bindings...); err != nil {
			return err
		}
	}
	return nil
}

// gradient are the operands of an attention's backward pass beside qkv.
type gradient struct{ do, delta, dqkv vulkan.Range }

func (r *recording) gradient(do, delta, dqkv backend.Value) gradient {
	return gradient{r.e.places[do], r.e.places[delta], r.e.places[dqkv]}
}
