package model

import (
	"fmt"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Stage is a run of Swin blocks at one resolution. Between two stages, patch merging halves the grid and doubles the width.
type Stage struct {
	Blocks int `json:"blocks"`
	Heads  int `json:"heads"`
}

// Limits on what a file may ask of a Swin.
const (
	maxStages = 8
	maxWindow = 64
)

// swinEps is the LayerNorm eps of every published Swin.
const swinEps = 1e-5

// Swin reports whether the backbone is a Swin and not a ViT.
func (c Config) Swin() bool { return c.Family == FamilySwin }

// stage is the stage of block i and the block's number in it; a ViT is one stage.
func (c Config) stage(i int) (stage, block int) {
	for s, st := range c.Stages {
		if i < st.Blocks {
			return s, i
		}
		i -= st.Blocks
	}
	return max(len(c.Stages)-1, 0), i
}

// Merges returns the stage that block i begins by merging patches, false where it merges none.
func (c Config) Merges(i int) (stage int, ok bool) {
	stage, block := c.stage(i)
	return stage, c.Swin() && stage > 0 && block == 0
}

// Shifted reports whether block i shifts its windows, where the grid has more than one.
func (c Config) Shifted(i int) bool {
	_, block := c.stage(i)
	return block%2 == 1
}

// BlockDim is the width of the tokens of block i.
func (c Config) BlockDim(i int) int { s, _ := c.stage(i); return c.Dim << s }

// BlockHeads is the number of heads of block i.
func (c Config) BlockHeads(i int) int {
	if s, _ := c.stage(i); c.Swin() {
		return c.Stages[s].Heads
	}
	return c.Heads
}

// BlockHidden is the width of the MLP of block i.
func (c Config) BlockHidden(i int) int { s, _ := c.stage(i); return c.Hidden << s }

// FeatureDim is the width of the tokens after the last block.
func (c Config) FeatureDim() int { return c.BlockDim(c.Depth - 1) }

// BlockGrid is the grid of tokens in block i for images whose patches are a grid of rows x columns. Merging rounds odd
// sides up.
func (c Config) BlockGrid(i, rows, columns int) (int, int) {
	s, _ := c.stage(i)
	for range s {
		rows, columns = (rows+1)/2, (columns+1)/2
	}
	return rows, columns
}

// TableWindow is the window, rows and columns, that the relative position table of block i was made for: the model's, or
// the whole grid of the trained image where that is smaller.
func (c Config) TableWindow(i int) (rows, columns int) {
	rows, columns = c.BlockGrid(i, c.Grid[0], c.Grid[1])
	return min(c.Window, rows), min(c.Window, columns)
}

// validateSwin checks what only a Swin has; the rest has been checked.
func (c Config) validateSwin() error {
	if n := len(c.Stages); n < 1 || n > maxStages || c.Dim<<(n-1) > maxDim || c.Hidden<<(n-1) > maxHidden {
		return fmt.Errorf("%d stages from width %d and MLP %d, expected 1 to %d stages and widths up to %d and %d", n, c.Dim, c.Hidden, maxStages, maxDim, maxHidden)
	}
	if c.Window < 1 || c.Window > maxWindow {
		return fmt.Errorf("window is %d, expected 1 to %d", c.Window, maxWindow)
	}
	depth := 0
	for s, st := range c.Stages {
		if st.Blocks < 1 || st.Blocks > maxDepth {
			return fmt.Errorf("stage %d has %d blocks, expected 1 to %d", s+1, st.Blocks, maxDepth)
		}
		if dim := c.Dim << s; st.Heads < 1 || dim%st.Heads != 0 {
			return fmt.Errorf("stage %d has %d heads, expected a divisor of its width %d", s+1, st.Heads, dim)
		}
		depth += st.Blocks
	}
	if depth != c.Depth || c.Heads != c.Stages[0].Heads {
		return fmt.Errorf("%d blocks and %d heads, the stages have %d and %d", c.Depth, c.Heads, depth, c.Stages[0].Heads)
	}
	if c.Pool != checkpoint.PoolNormMean {
		return fmt.Errorf("pool %q, expected norm_mean for a swin", c.Pool)
	}
	if c.LayerScale || c.SwiGLU || c.Registers > 0 || c.Distilled || c.FCNorm || c.Resample != "" {
		return fmt.Errorf("a swin has no layer scale, SwiGLU, registers, distillation token, fc_norm or learned positions")
	}
	return nil
}

// Tensors that only a Swin has.
const (
	patchNorm    = "patch_embed.norm"
	biasTable    = "attn.relative_position_bias_table"
	mergeLinear  = "downsample.reduction"
	mergeNorm    = "downsample.norm"
	swinHeadName = "head.fc."
)

func stageName(s int, leaf string) string { return fmt.Sprintf("layers.%d.%s", s, leaf) }

// BlockName is the canonical name of a block's part.
func (c Config) BlockName(i int, leaf string) string {
	if !c.Swin() {
		return blockName(i, leaf)
	}
	s, b := c.stage(i)
	return stageName(s, blockName(b, leaf))
}

// swinSpecs is specs of a Swin.
func (c Config) swinSpecs() []spec {
	var list []spec
	add := func(name string, shape ...int) { list = append(list, spec{name: name, shape: shape}) }
	norm := func(name string, dim int) {
		add(name+".weight", dim)
		add(name+".bias", dim)
	}
	linear := func(name string, rows, cols int) {
		list = append(list, spec{name: name + ".weight", shape: tensor.Shape{rows, cols}, linear: true})
	}
	add(patchProj+".weight", c.Dim, 3, c.Patch, c.Patch)
	add(patchProj+".bias", c.Dim)
	norm(patchNorm, c.Dim)
	for i := range c.Depth {
		dim := c.BlockDim(i)
		if s, ok := c.Merges(i); ok {
			norm(stageName(s, mergeNorm), 2*dim)
			linear(stageName(s, mergeLinear), dim, 2*dim)
		}
		norm(c.BlockName(i, "norm1"), dim)
		norm(c.BlockName(i, "norm2"), dim)
		h, w := c.TableWindow(i)
		add(c.BlockName(i, biasTable), (2*h-1)*(2*w-1), c.BlockHeads(i))
		for _, layer := range layers {
			rows, cols := c.layerShape(i, layer)
			linear(c.BlockName(i, layer), rows, cols)
			add(c.BlockName(i, layer)+".bias", rows)
		}
	}
	norm("norm", c.FeatureDim())
	if c.HasHead {
		add(headWeight, 0, c.FeatureDim())
		add(headBias, 0)
	}
	return list
}

// The linear layers of a block, and the one that merges patches before it.
const (
	LayerQKV       = "attn.qkv"
	LayerProj      = "attn.proj"
	LayerFC1       = "mlp.fc1"
	LayerFC2       = "mlp.fc2"
	LayerReduction = mergeLinear
)

// LinearName is the canonical name of a linear layer of block i.
func (c Config) LinearName(i int, layer string) string {
	if layer == LayerReduction {
		s, _ := c.stage(i)
		return stageName(s, mergeLinear)
	}
	return c.BlockName(i, layer)
}

// MergeNorm is the canonical name of the norm that merges patches into a stage.
func MergeNorm(stage int) string { return stageName(stage, mergeNorm) }

// BiasTable is the relative position bias [entries, heads] of block i of a Swin. The caller must not modify it.
func (b *Backbone) BiasTable(i int) []float32 { return b.Float(b.config.BlockName(i, biasTable)) }
