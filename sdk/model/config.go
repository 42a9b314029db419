package model

import (
	"errors"
	"fmt"
	"slices"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Errors that callers may test for.
var (
	ErrCorrupt = checkpoint.ErrCorrupt
	ErrVersion = checkpoint.ErrVersion
	ErrLayout  = errors.New("not a supported checkpoint") // sound, but of another layout or architecture
)

// Types that backbones share with adapters.
type (
	Pool          = checkpoint.Pool
	Interpolation = checkpoint.Interpolation
	Preprocess    = checkpoint.Preprocess
	Ref           = checkpoint.BackboneRef
)

// Scheme names how the linear layers are stored, such as "q8c" or "q4g"; see package quant.
type Scheme = quant.Scheme

// Schemes are the names that there are, the default first.
func Schemes() []Scheme { return slices.Clone(quant.Schemes) }

// Families of architecture.
const (
	FamilyViT    = "vit"
	FamilyDINOv2 = "dinov2" // layer scale, and class token with mean as the default features
	FamilySwin   = "swin"   // Swin V1: stages of shifted windows
)

// Resample is the rule by which a position grid is brought to another size.
type Resample string

// The rules; both take half-pixel centres and repeat the border.
const (
	ResampleBicubic   Resample = "bicubic"           // cubic convolution with a = -0.75, as DINOv2 does
	ResampleAntialias Resample = "bicubic-antialias" // a = -0.5, widened where the grid shrinks, as timm does
)

// Config describes a backbone's architecture and how images become its input.
type Config struct {
	Name         string     `json:"name"` // size and patch, such as vit-s14
	Family       string     `json:"family"`
	Patch        int        `json:"patch"` // side in pixels
	Dim          int        `json:"dim"`
	Depth        int        `json:"depth"` // blocks
	Heads        int        `json:"heads"`
	Hidden       int        `json:"hidden"` // width of the MLP
	LayerNormEps float32    `json:"layer_norm_eps"`
	LayerScale   bool       `json:"layer_scale"`
	SwiGLU       bool       `json:"swiglu,omitempty"`    // the MLP is fc2(silu(a) b) with [a, b] = fc1(x), else fc2(GELU(fc1(x)))
	Registers    int        `json:"registers,omitempty"` // tokens without a position, between class token and patches
	Distilled    bool       `json:"distilled,omitempty"` // a distillation token follows the class token, with a position
	FCNorm       bool       `json:"fc_norm,omitempty"`   // the final norm is on the mean of the patches and not on the tokens
	Grid         [2]int     `json:"grid"`                // rows and columns of the learned positions; of a Swin's patches in training
	Resample     Resample   `json:"resample"`            // empty for a Swin
	Stages       []Stage    `json:"stages,omitempty"`    // of a Swin, whose Dim, Heads and Hidden are those of the first, and Depth all blocks
	Window       int        `json:"window,omitempty"`    // side of a Swin's windows in tokens
	PadFirst     bool       `json:"pad_first,omitempty"` // grids that are no multiple of the window are padded before the cyclic shift, else after it
	Pool         Pool       `json:"pool"`                // of the features unless an adapter says otherwise
	HasHead      bool       `json:"has_head"`            // the checkpoint's own classifier is kept
	Preprocess   Preprocess `json:"preprocess"`

	Fingerprint string `json:"-"` // of architecture and source weights; empty before quantising
}

// PrefixTokens is the number of tokens before those of the patches: the class token, a distillation token, registers.
func (c Config) PrefixTokens() int {
	if c.Swin() {
		return 0
	}
	return c.placedPrefix() + c.Registers
}

// placedPrefix is the number of prefix tokens that have a position.
func (c Config) placedPrefix() int {
	if c.Distilled {
		return 2
	}
	return 1
}

// ImageSize is the height and width in pixels that the learned positions were made for.
func (c Config) ImageSize() (height, width int) { return c.Grid[0] * c.Patch, c.Grid[1] * c.Patch }

// Ref is what an adapter for this backbone has to know.
func (c Config) Ref() Ref {
	r := Ref{Name: c.Name, Fingerprint: c.Fingerprint, Dim: c.Dim, Depth: c.Depth, Preprocess: c.Preprocess}
	for _, s := range c.Stages {
		r.Stages = append(r.Stages, s.Blocks)
	}
	return r
}

// Limits on what a file may ask for, far above every published ViT.
const (
	maxPatch  = 128
	maxDim    = 1 << 14
	maxHidden = 1 << 16
	maxDepth  = 256
	maxGrid   = 1 << 10

	maxRegisters = 64
)

func (c Config) validate() error {
	for _, v := range []struct {
		name       string
		value, max int
	}{
		{"patch", c.Patch, maxPatch}, {"dim", c.Dim, maxDim}, {"depth", c.Depth, maxDepth}, {"heads", c.Heads, maxDim},
		{"hidden", c.Hidden, maxHidden}, {"grid rows", c.Grid[0], maxGrid}, {"grid columns", c.Grid[1], maxGrid},
	} {
		if v.value < 1 || v.value > v.max {
			return fmt.Errorf("%s is %d, expected 1 to %d", v.name, v.value, v.max)
		}
	}
	if c.Registers < 0 || c.Registers > maxRegisters {
		return fmt.Errorf("registers is %d, expected 0 to %d", c.Registers, maxRegisters)
	}
	if c.FCNorm && c.Pool != checkpoint.PoolMean {
		return fmt.Errorf("pool is %q, expected mean where the final norm is fc_norm", c.Pool)
	}
	if c.Dim%c.Heads != 0 {
		return fmt.Errorf("dim %d is no multiple of %d heads", c.Dim, c.Heads)
	}
	switch c.Family {
	case FamilySwin:
		if err := c.validateSwin(); err != nil {
			return err
		}
	case FamilyViT, FamilyDINOv2:
		if err := c.validateViT(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("family %q, expected vit, dinov2 or swin", c.Family)
	}
	if !(c.LayerNormEps > 0 && c.LayerNormEps < 1) {
		return fmt.Errorf("layer norm eps is %g, expected a small positive number", c.LayerNormEps)
	}
	if err := c.Pool.Check(); err != nil {
		return err
	}
	return c.Preprocess.Check()
}

func (c Config) validateViT() error {
	if c.Resample != ResampleBicubic && c.Resample != ResampleAntialias {
		return fmt.Errorf("resample %q, expected bicubic or bicubic-antialias", c.Resample)
	}
	if len(c.Stages) > 0 || c.Window != 0 || c.PadFirst {
		return fmt.Errorf("a %s has no stages and no windows", c.Family)
	}
	return nil
}

// sizeNames are the usual letters for the widths of the ViT paper and DINOv2.
var sizeNames = map[int]string{192: "ti", 384: "s", 768: "b", 1024: "l", 1280: "h", 1536: "g"}

// swinSizes are the letters of the Swin paper by width and number of blocks.
var swinSizes = map[[2]int]string{{96, 12}: "t", {96, 24}: "s", {128, 24}: "b", {192, 24}: "l"}

func (c Config) autoName() string {
	if c.Swin() {
		if size := swinSizes[[2]int{c.Dim, c.Depth}]; size != "" {
			return fmt.Sprintf("swin-%s-w%d", size, c.Window)
		}
		return fmt.Sprintf("swin-d%dx%d-w%d", c.Dim, c.Depth, c.Window)
	}
	size := sizeNames[c.Dim]
	if size == "" {
		size = fmt.Sprintf("d%d-p", c.Dim)
	}
	return fmt.Sprintf("vit-%s%d", size, c.Patch)
}

// spec is a tensor that a backbone has, by its canonical (timm) name.
type spec struct {
	name   string
	shape  tensor.Shape // an extent of 0 may be anything
	linear bool         // a weight matrix that quantisation applies to
}

const (
	clsToken       = "cls_token"
	distToken      = "dist_token"
	registerTokens = "register_tokens"
	posEmbed       = "pos_embed"
	patchProj      = "patch_embed.proj"
	headWeight     = "head.weight"
	headBias       = "head.bias"
)

// FinalNorm is the name of the last norm: "norm" of the tokens, or "fc_norm" of the pooled vector.
func (c Config) FinalNorm() string {
	if c.FCNorm {
		return "fc_norm"
	}
	return "norm"
}

// layers are a block's linear layers.
var layers = []string{"attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"}

func blockName(i int, leaf string) string { return fmt.Sprintf("blocks.%d.%s", i, leaf) }

// layerShape is the [out, in] of a linear layer of block i.
func (c Config) layerShape(i int, layer string) (rows, cols int) {
	dim, hidden := c.BlockDim(i), c.BlockHidden(i)
	switch layer {
	case "attn.qkv":
		return 3 * dim, dim
	case "mlp.fc1":
		if c.SwiGLU {
			return 2 * hidden, dim
		}
		return hidden, dim
	case "mlp.fc2":
		return dim, hidden
	}
	return dim, dim
}

// specs lists every tensor of the architecture, in the order of files and fingerprints.
func (c Config) specs() []spec {
	if c.Swin() {
		return c.swinSpecs()
	}
	list := []spec{
		{name: patchProj + ".weight", shape: tensor.Shape{c.Dim, 3, c.Patch, c.Patch}},
		{name: patchProj + ".bias", shape: tensor.Shape{c.Dim}},
		{name: clsToken, shape: tensor.Shape{1, 1, c.Dim}},
		{name: posEmbed, shape: tensor.Shape{1, c.placedPrefix() + c.Grid[0]*c.Grid[1], c.Dim}},
	}
	if c.Distilled {
		list = append(list, spec{name: distToken, shape: tensor.Shape{1, 1, c.Dim}})
	}
	if c.Registers > 0 {
		list = append(list, spec{name: registerTokens, shape: tensor.Shape{1, c.Registers, c.Dim}})
	}
	vector := func(names ...string) {
		for _, n := range names {
			list = append(list, spec{name: n, shape: tensor.Shape{c.Dim}})
		}
	}
	for i := range c.Depth {
		vector(blockName(i, "norm1.weight"), blockName(i, "norm1.bias"), blockName(i, "norm2.weight"), blockName(i, "norm2.bias"))
		if c.LayerScale {
			vector(blockName(i, "ls1.gamma"), blockName(i, "ls2.gamma"))
		}
		for _, layer := range layers {
			rows, cols := c.layerShape(i, layer)
			list = append(list,
				spec{name: blockName(i, layer) + ".weight", shape: tensor.Shape{rows, cols}, linear: true},
				spec{name: blockName(i, layer) + ".bias", shape: tensor.Shape{rows}})
		}
	}
	vector(c.FinalNorm()+".weight", c.FinalNorm()+".bias")
	if c.HasHead {
		list = append(list, spec{name: headWeight, shape: tensor.Shape{0, c.Dim}}, spec{name: headBias, shape: tensor.Shape{0}})
	}
	return list
}

// fits reports whether a tensor of this shape can be s.
func (s spec) fits(shape tensor.Shape) bool {
	if len(shape) != len(s.shape) {
		return false
	}
	for i, d := range s.shape {
		if shape[i] < 1 || d != 0 && shape[i] != d {
			return false
		}
	}
	return true
}

// want prints the expected shape.
func (s spec) want() string {
	if s.shape[0] == 0 {
		return fmt.Sprintf("[classes%s", tensor.Shape(s.shape).String()[2:])
	}
	return s.shape.String()
}
