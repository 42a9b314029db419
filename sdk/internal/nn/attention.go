package nn

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/window"
)

// attention is how the tokens of a block attend to one another: all to all in a ViT, within shifted windows in a Swin.
// qkv [B T, 3 D], o [B T, D]; lse is what the backward pass needs.
type attention interface {
	forward(r *backend.Recorder, qkv backend.Value) (o, lse backend.Value)
	backward(r *backend.Recorder, qkv, o, lse, do backend.Value) (dqkv backend.Value)
	probs(r *backend.Recorder, qkv, lse backend.Value) backend.Value
}

// fullAttention is over all tokens of an image.
type fullAttention struct{ backend.Heads }

func (a fullAttention) forward(r *backend.Recorder, qkv backend.Value) (o, lse backend.Value) {
	return r.Attention(qkv, a.Heads)
}

func (a fullAttention) backward(r *backend.Recorder, qkv, o, lse, do backend.Value) backend.Value {
	return r.AttentionBackward(qkv, o, lse, do, a.Heads)
}

func (a fullAttention) probs(r *backend.Recorder, qkv, lse backend.Value) backend.Value {
	return r.AttentionProbs(qkv, lse, a.Heads)
}

// windowAttention is within the windows of a grid.
type windowAttention struct {
	backend.Windows
	pad   backend.Buffer // [3 D], the bias of qkv: what the layer makes of the zeros that pad the grid
	table backend.Buffer // [entries, heads], relative position bias
}

func (a windowAttention) params(r *backend.Recorder) (pad, table backend.Value) {
	return r.Param("pad", a.pad, 0, a.pad.Len()), r.Param("bias table", a.table, 0, a.Entries(), a.Count)
}

func (a windowAttention) forward(r *backend.Recorder, qkv backend.Value) (o, lse backend.Value) {
	pad, table := a.params(r)
	return r.WindowAttention(qkv, pad, table, a.Windows)
}

func (a windowAttention) backward(r *backend.Recorder, qkv, o, lse, do backend.Value) backend.Value {
	pad, table := a.params(r)
	return r.WindowAttentionBackward(qkv, pad, table, o, lse, do, a.Windows)
}

func (a windowAttention) probs(r *backend.Recorder, qkv, _ backend.Value) backend.Value {
	pad, table := a.params(r)
	return r.WindowProbs(qkv, pad, table, a.Windows)
}

// place is where a block stands in a pass: the tokens of its images, and how they attend.
type place struct {
	grid   backend.Grid
	tokens int // of an image, prefix tokens among them
	dim    int
	attention
}

// place finds what block i works on for images of a size in pixels.
func (v *ViT) place(i, batch, height, width int) place {
	c := v.cfg
	rows, columns := c.BlockGrid(i, height/c.Patch, width/c.Patch)
	p := place{grid: backend.Grid{Batch: batch, Rows: rows, Columns: columns}, tokens: c.PrefixTokens() + rows*columns, dim: c.BlockDim(i)}
	if !c.Swin() {
		p.attention = fullAttention{backend.Heads{Batch: batch, Tokens: p.tokens, Count: c.Heads}}
		return p
	}
	th, tw := c.TableWindow(i)
	p.attention = windowAttention{pad: v.blocks[i].qkv.Bias, table: v.blocks[i].table,
		Windows: backend.Windows{Batch: batch, Count: c.BlockHeads(i), Layout: window.Layout{PadFirst: c.PadFirst,
			Rows:    window.NewAxis(rows, th, th, c.Shifted(i)),
			Columns: window.NewAxis(columns, tw, tw, c.Shifted(i))}}}
	return p
}

// merge is the patch merging before a block: four tokens become one of twice the width.
type merge struct {
	norm      backend.Norm
	reduction backend.Frozen
}

// mergeState is what its forward pass leaves for its backward pass.
type mergeState struct {
	x, y  backend.Value // y is what the reduction reads
	stats backend.NormStats
}

// forward records y = LayerNorm(squares of x) Wᵀ; x [B T, D], y [B T', 2 D] for squares of the grid of x.
func (m *merge) forward(r *backend.Recorder, x backend.Value, g backend.Grid) (y backend.Value, s mergeState) {
	s.x = x
	s.y, s.stats = r.PatchMerge(x, m.norm, g)
	return r.Linear(s.y, m.reduction), s
}

// backward records dL/dx from dy = dL/dy.
func (m *merge) backward(r *backend.Recorder, s mergeState, dy backend.Value, g backend.Grid) backend.Value {
	return r.PatchMergeBackward(s.x, m.norm, s.stats, r.LinearBackward(dy, m.reduction, backend.None), g)
}
