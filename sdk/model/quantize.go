package model

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"math"
	"slices"

	"github.com/pkg/errors"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Quantize stores the linear layers of src in the given scheme. Patch embedding, positions, norms, biases, layer scale
// and the checkpoint's own head stay as exact as they were: float16 where the source is float16, else float32. The
// result shares no memory with src. It returns ErrCorrupt, with the tensor's name, for a weight that is no finite number.
// The weights of q8c are those of quant.QuantizePairs.
// Cost: one pass over the weights, with one tensor at a time in float32.
func Quantize(src *Source, scheme quant.Scheme) (*Backbone, error) {
	return src.quantize(scheme, quant.QuantizeDefault, nil)
}

// QuantizeFullRange is Quantize to q8c by quant.Quantize: each row uses all of int8. Products on x86 processors without
// VNNI are slower with such weights.
func QuantizeFullRange(src *Source) (*Backbone, error) {
	return src.quantize(quant.Q8C, quant.Quantize, nil)
}

// QuantizeSmoothed is Quantize to q8c of the same function with other numbers: the columns of a layer that reads a norm, LayerQKV
// or LayerFC1 of any block, are multiplied by factors, and what the norm writes is divided by them. factors are by the layer's
// canonical name, finite and positive; ErrLayout says which are of no such layer, or too few or many.
func QuantizeSmoothed(src *Source, factors map[string][]float32) (*Backbone, error) {
	edits, left := map[string]func(t tensor.Tensor){}, maps.Clone(factors)
	for i := range src.config.Depth {
		for layer, norm := range map[string]string{LayerQKV: "norm1", LayerFC1: "norm2"} {
			name := src.config.LinearName(i, layer)
			f, ok := factors[name]
			if !ok {
				continue
			}
			delete(left, name)
			if dim := src.config.BlockDim(i); len(f) != dim || slices.ContainsFunc(f, func(v float32) bool { return !(v > 0 && v <= math.MaxFloat32) }) {
				return nil, fmt.Errorf("factors of %q, %d of them, expected %d finite and positive ones: %w", name, len(f), dim, ErrLayout)
			}
			divide := func(t tensor.Tensor) { eachColumn(t, f, func(v, f float32) float32 { return v / f }) }
			norm = src.config.BlockName(i, norm)
			edits[norm+".weight"], edits[norm+".bias"] = divide, divide
			edits[name+".weight"] = func(t tensor.Tensor) { eachColumn(t, f, func(v, f float32) float32 { return v * f }) }
		}
	}
	for name := range left {
		return nil, fmt.Errorf("factors of %q, which is no layer behind a norm: %w", name, ErrLayout)
	}
	return src.quantize(quant.Q8C, quant.QuantizeDefault, edits)
}

func eachColumn(t tensor.Tensor, f []float32, edit func(v, f float32) float32) {
	for i, v := range t.Data {
		t.Data[i] = edit(v, f[i%len(f)])
	}
}

// quantize stores linear layers by the function linear, after the edits of tensors by name.
func (src *Source) quantize(scheme quant.Scheme, linear func(s quant.Scheme, w []float32, rows, cols int) (quant.Matrix, error), edits map[string]func(tensor.Tensor)) (*Backbone, error) {
	if _, err := quant.ParseScheme(string(scheme)); err != nil {
		return nil, err
	}
	b := &Backbone{config: src.config, scheme: scheme, linear: map[string]quant.Matrix{}, float: map[string]param{}}
	print := newFingerprint(src.config)
	for _, s := range src.config.specs() {
		t, half, err := src.read(s.name)
		if err != nil {
			return nil, err
		}
		print.add(s.name, t)
		if edit := edits[s.name]; edit != nil {
			edit(t)
			half = false
		}
		if !s.linear {
			b.float[s.name] = newParam(t, half)
			continue
		}
		m, err := linear(scheme, t.Data, t.Shape[0], t.Shape[1])
		if err != nil {
			return nil, errors.WithMessagef(err, "tensor %q", s.name)
		}
		b.linear[s.name] = m
	}
	b.config.Fingerprint = print.sum()
	if err := b.checkHead(); err != nil {
		return nil, err
	}
	return b, nil
}

// fingerprint is SHA-256 over an architecture and its source weights as float32, in canonical names and order. So it is
// the same for every scheme, key layout and exact storage type of one checkpoint. The checkpoint's own head is no part
// of it: adapters do not see that.
type fingerprint struct {
	h   hash.Hash
	buf []byte
}

func newFingerprint(c Config) *fingerprint {
	f := &fingerprint{h: sha256.New()}
	grid := c.Grid
	if c.Swin() { // no values depend on the images that it was made for
		grid = [2]int{}
	}
	fmt.Fprintf(f.h, "edgeadapt backbone 1\nfamily %s patch %d dim %d depth %d heads %d hidden %d eps %08x layer scale %t grid %d %d resample %s\n",
		c.Family, c.Patch, c.Dim, c.Depth, c.Heads, c.Hidden, math.Float32bits(c.LayerNormEps), c.LayerScale, grid[0], grid[1], c.Resample)
	if c.Swin() {
		fmt.Fprintf(f.h, "stages %v window %d pad first %t\n", c.Stages, c.Window, c.PadFirst)
	}
	if c.SwiGLU { // the other variants have tensors of their own
		fmt.Fprintln(f.h, "swiglu")
	}
	return f
}

func (f *fingerprint) add(name string, t tensor.Tensor) {
	if name == headWeight || name == headBias {
		return
	}
	fmt.Fprintf(f.h, "%s %v\n", name, t.Shape)
	f.buf = f.buf[:0]
	for _, v := range t.Data {
		f.buf = binary.LittleEndian.AppendUint32(f.buf, math.Float32bits(v))
	}
	f.h.Write(f.buf)
}

func (f *fingerprint) sum() string { return hex.EncodeToString(f.h.Sum(nil)) }

// Weight returns the float32 weight [out, in] of a linear layer, in memory of its own.
func (s *Source) Weight(block int, layer string) (tensor.Tensor, error) {
	t, _, err := s.read(s.config.LinearName(block, layer) + ".weight")
	return t, err
}

// Exchange returns b with other matrices, of the same scheme and shapes, in the place of those of these canonical names.
// It shares all other memory with b.
func (b *Backbone) Exchange(matrices map[string]quant.Matrix) (*Backbone, error) {
	c := *b
	c.linear = maps.Clone(b.linear)
	for name, m := range matrices {
		old, ok := c.linear[name]
		if !ok || m.Scheme != b.scheme || m.Rows != old.Rows || m.Cols != old.Cols || m.Check() != nil {
			return nil, fmt.Errorf("exchange %q for a matrix [%d, %d] of scheme %q: %w", name, m.Rows, m.Cols, m.Scheme, ErrLayout)
		}
		c.linear[name] = m
	}
	return &c, nil
}
