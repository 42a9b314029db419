package model

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Backbone is a frozen, quantised Vision Transformer in host memory. Immutable and safe for concurrent use. One that was
// opened from a file aliases the mapped file until Close.
type Backbone struct {
	config Config
	scheme quant.Scheme
	linear map[string]quant.Matrix // by the weight's canonical name; Scale is that of the scheme alone
	float  map[string]param        // everything else
	file   *checkpoint.File        // nil unless opened from a file

	calibration *CalibrationRecord // nil for none
}

// param is a tensor that is not quantised: exactly one of half and data holds it.
type param struct {
	shape tensor.Shape
	half  []uint16
	data  []float32
}

// newParam keeps t as float16 where that loses nothing.
func newParam(t tensor.Tensor, half bool) param {
	p := param{shape: t.Shape, data: t.Data}
	if half {
		p.data, p.half = nil, make([]uint16, len(t.Data))
		for i, v := range t.Data {
			p.half[i] = quant.ToF16(v)
		}
	}
	return p
}

func (p param) floats() []float32 {
	if p.half == nil {
		return p.data
	}
	f := make([]float32, len(p.half))
	for i, h := range p.half {
		f[i] = quant.FromF16(h)
	}
	return f
}

// Config describes the architecture and the preprocessing.
func (b *Backbone) Config() Config { return b.config }

// Fingerprint identifies architecture and source weights; all quantisations of one checkpoint share it.
func (b *Backbone) Fingerprint() string { return b.config.Fingerprint }

// Scheme is how the linear layers are stored.
func (b *Backbone) Scheme() quant.Scheme { return b.scheme }

// FullRange is whether b has int8 weights of which some pair exceeds quant.MaxPair, as QuantizeFullRange gives them. It reads
// the weights.
func (b *Backbone) FullRange() bool {
	for _, m := range b.linear {
		if m.Scheme == quant.Q8C && !m.PairsFit() {
			return true
		}
	}
	return false
}

// Close releases the file behind an opened backbone. Nobody may use b or what its methods returned afterwards. It may
// be called twice.
func (b *Backbone) Close() error {
	if b.file == nil {
		return nil
	}
	return b.file.Close()
}

// Bytes is the size of all weights as they are stored.
func (b *Backbone) Bytes() int {
	n := 0
	for _, m := range b.linear {
		n += m.Bytes()
	}
	for _, p := range b.float {
		n += 2*len(p.half) + 4*len(p.data)
	}
	return n
}

// Float returns a tensor that is not quantised by its canonical name, such as "blocks.0.norm1.weight", or nil where the
// backbone has none. The caller must not modify it. Tensors stored as float16 are widened anew at each call.
func (b *Backbone) Float(name string) []float32 {
	p, ok := b.float[name]
	if !ok {
		return nil
	}
	return p.floats()
}

// Linear returns weight [out, in] and bias [out] of a linear layer of a block: "attn.qkv", "attn.proj", "mlp.fc1" or
// "mlp.fc2". Layer scale is folded in: the rows of proj and fc2 and their biases come multiplied by gamma, so that
// whoever runs the model never sees it. The elements alias the backbone's.
func (b *Backbone) Linear(block int, layer string) (quant.Matrix, []float32) {
	name := b.config.BlockName(block, layer)
	m := b.linear[name+".weight"]
	bias := b.Float(name + ".bias")
	gamma := b.layerScale(block, layer)
	if gamma == nil {
		return m, bias
	}
	scale, folded := make([]float32, m.Rows), make([]float32, m.Rows)
	for i, g := range gamma {
		scale[i], folded[i] = g, g*bias[i]
		if m.Scale != nil {
			scale[i] *= m.Scale[i]
		}
	}
	m.Scale = scale
	return m, folded
}

// Idle says that the caller has its own copy of a layer's weights: those of the file need not stay in memory. They can
// be read again at any time.
func (b *Backbone) Idle(block int, layer string) {
	m := b.linear[b.config.BlockName(block, layer)+".weight"]
	checkpoint.Idle(b.file, m.Int8)
	checkpoint.Idle(b.file, m.Int4)
}

// layerScale returns the gains on a linear layer's output, nil where there are none.
func (b *Backbone) layerScale(block int, layer string) []float32 {
	switch layer {
	case "attn.proj":
		return b.Float(b.config.BlockName(block, "ls1.gamma"))
	case "mlp.fc2":
		return b.Float(b.config.BlockName(block, "ls2.gamma"))
	}
	return nil
}

// Reduction returns weight [2 dim, 4 dim] and bias [2 dim], zero, of the linear layer that merges patches into the given
// stage, the first of them being 1.
func (b *Backbone) Reduction(stage int) (quant.Matrix, []float32) {
	m := b.linear[stageName(stage, mergeLinear)+".weight"]
	return m, make([]float32, m.Rows)
}

// Prefix returns the tokens before the patches, [PrefixTokens, dim]: the class token and a distillation token with their
// positions added, then registers, which have none.
func (b *Backbone) Prefix() []float32 {
	prefix := append([]float32(nil), b.Float(clsToken)...)
	prefix = append(prefix, b.Float(distToken)...)
	pos := b.Float(posEmbed)
	for i := range prefix {
		prefix[i] += pos[i]
	}
	return append(prefix, b.Float(registerTokens)...)
}

// Positions returns the positions of a grid of patches, [rows, columns, dim], resampled by the backbone's rule where the
// grid is not the trained one; zeros for a Swin, whose attention knows the positions. Rows and columns must be positive. The class token's position is never resampled; see
// Prefix.
func (b *Backbone) Positions(rows, columns int) tensor.Tensor {
	c := b.config
	if c.Swin() {
		return tensor.New(rows, columns, c.Dim)
	}
	grid := tensor.Tensor{Shape: tensor.Shape{c.Grid[0], c.Grid[1], c.Dim}, Data: b.Float(posEmbed)[c.placedPrefix()*c.Dim:]}
	return resampleGrid(grid, rows, columns, c.Resample)
}
