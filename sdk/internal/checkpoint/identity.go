package checkpoint

import (
	"errors"
	"fmt"
	"slices"
)

// What backbone files and adapter files both have to say is defined once, here. Packages model and adapter, which do not
// know each other, export these types under their own names.

// Pool says how tokens become one feature vector.
type Pool string

// The poolings: the class token after the final norm; the mean of the patch tokens of the last block, then a norm of
// the adapter's; class token and mean of the patch tokens, both after the final norm, side by side; the mean of the patch
// tokens after the final norm, as Swin has it.
const (
	PoolCLS      Pool = "cls"
	PoolMean     Pool = "mean"
	PoolCLSMean  Pool = "cls_mean"
	PoolNormMean Pool = "norm_mean"
)

// Check reports whether p is one of the poolings.
func (p Pool) Check() error {
	switch p {
	case PoolCLS, PoolMean, PoolCLSMean, PoolNormMean:
		return nil
	}
	return fmt.Errorf("pool %q, expected cls, mean, cls_mean or norm_mean", p)
}

// Interpolation is the filter that resizes images.
type Interpolation string

// The filters, as PIL defines them.
const (
	Bicubic  Interpolation = "bicubic"
	Bilinear Interpolation = "bilinear"
)

// MaxSide bounds the sides of images and their crops, in pixels.
const MaxSide = 8192

// Preprocess is how images become input: the short side scaled to Resize pixels, the central Crop x Crop pixels, then
// (v/255 - Mean) / Std per RGB channel.
type Preprocess struct {
	Resize        int           `json:"resize"`
	Crop          int           `json:"crop"`
	Interpolation Interpolation `json:"interpolation"`
	Mean          [3]float32    `json:"mean"`
	Std           [3]float32    `json:"std"`
}

// Check reports what keeps p from being used.
func (p Preprocess) Check() error {
	if p.Crop < 1 || p.Resize < p.Crop || p.Resize > MaxSide {
		return fmt.Errorf("resize %d and crop %d, expected 1 <= crop <= resize <= %d", p.Resize, p.Crop, MaxSide)
	}
	return CheckNormalisation(p.Interpolation, p.Mean, p.Std)
}

// CheckNormalisation checks the values that every preprocessing has.
func CheckNormalisation(i Interpolation, mean, std [3]float32) error {
	if i != Bicubic && i != Bilinear {
		return fmt.Errorf("interpolation %q, expected bicubic or bilinear", i)
	}
	for c := range 3 {
		if mean[c]-mean[c] != 0 || std[c]-std[c] != 0 || std[c] <= 0 {
			return fmt.Errorf("mean %v and std %v, expected finite numbers and a positive std", mean, std)
		}
	}
	return nil
}

// BackboneRef is what an adapter knows of the backbone that it was made for.
type BackboneRef struct {
	Name        string     `json:"name"`
	Fingerprint string     `json:"fingerprint"` // of architecture and source weights, 64 hex digits
	Dim         int        `json:"dim"`         // of the first block's tokens
	Depth       int        `json:"depth"`
	Stages      []int      `json:"stages,omitempty"` // blocks of a Swin's stages: each is twice as wide as the one before
	Preprocess  Preprocess `json:"-"`                // where an adapter's own preprocessing starts from
}

// stage is the stage of block i and the block's number in it.
func (r BackboneRef) stage(i int) (stage, block int) {
	for s, n := range r.Stages {
		if i < n {
			return s, i
		}
		i -= n
	}
	return max(len(r.Stages)-1, 0), i
}

// BlockDim is the width of the tokens of block i.
func (r BackboneRef) BlockDim(i int) int { s, _ := r.stage(i); return r.Dim << s }

// FeatureDim is the width of the tokens after the last block.
func (r BackboneRef) FeatureDim() int { return r.BlockDim(r.Depth - 1) }

// BranchName is the prefix of the names of a block's branch, as the AdaptFormer authors have them; a Swin's blocks are
// counted by stage.
func (r BackboneRef) BranchName(i int) string {
	if s, b := r.stage(i); len(r.Stages) > 0 {
		return fmt.Sprintf("layers.%d.blocks.%d.adaptmlp.", s, b)
	}
	return fmt.Sprintf("blocks.%d.adaptmlp.", i)
}

// Metadata that every file of ours has: what it is, and in which version of its format.
const (
	MetaKind    = "edgeadapt"
	MetaVersion = "version"
)

// ErrVersion says that a file is of a format that this release does not know.
var ErrVersion = errors.New("unknown format version")

// CheckKind makes sure that f is a file of ours, of the wanted kind and one of the format versions.
func (f *File) CheckKind(kind string, versions ...string) error {
	if got := f.metadata[MetaKind]; got != kind {
		return corrupt("metadata %q is %q, expected %q", MetaKind, got, kind)
	}
	if got := f.metadata[MetaVersion]; !slices.Contains(versions, got) {
		return fmt.Errorf("format version %q, this release reads %q: %w", got, versions, ErrVersion)
	}
	return nil
}
