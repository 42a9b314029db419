package adapter

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Errors that callers may test for.
var (
	ErrCorrupt      = checkpoint.ErrCorrupt
	ErrKind         = errors.New("a file of another kind") // such as a backbone; ErrCorrupt comes with it
	ErrVersion      = checkpoint.ErrVersion
	ErrConfig       = errors.New("invalid adapter configuration")
	ErrIncompatible = errors.New("adapter was made for another backbone")
	ErrUnsupported  = errors.New("unsupported adapter option")
)

// Types that adapters share with backbones.
type (
	Pool          = checkpoint.Pool
	Interpolation = checkpoint.Interpolation
	Ref           = checkpoint.BackboneRef
)

// The poolings; see checkpoint.Pool.
const (
	PoolCLS      = checkpoint.PoolCLS
	PoolMean     = checkpoint.PoolMean
	PoolCLSMean  = checkpoint.PoolCLSMean
	PoolNormMean = checkpoint.PoolNormMean
)

// Method is how a task adapts the backbone.
type Method string

// The methods: AdaptMLP branches and a head, or a head alone.
const (
	AdaptFormer Method = "adaptformer"
	Linear      Method = "linear"
)

// Fit is how an image becomes a square.
type Fit string

// The fits: the whole image resized to the square; or the short side scaled by the backbone's ratio of resizing to
// cropping and the centre cut out.
const (
	Squash Fit = "squash"
	Crop   Fit = "crop"
)

// Task is the kind of answer.
type Task string

// The tasks: exactly one label an image (softmax), or any number (sigmoid each).
const (
	SingleLabel Task = "single-label"
	MultiLabel  Task = "multi-label"
)

// Config says what an adapter is and how images become its input.
type Config struct {
	Name        string   `json:"name,omitempty"`
	Description string   `json:"description,omitempty"`
	Tags        []string `json:"tags,omitempty"` // words that a search may find it by

	Method     Method  `json:"method"`
	Blocks     []int   `json:"blocks,omitempty"`     // with a branch, ascending, counted from 0; none for Linear
	Bottleneck int     `json:"bottleneck,omitempty"` // r, 1 to 256
	Scale      float32 `json:"scale,omitempty"`      // s, on the branch's output; with LearnScale, what it starts from
	Dropout    float32 `json:"dropout,omitempty"`    // after the ReLU, in training only

	// Options that the AdaptFormer paper examines; the zero values are its choice.
	Placement   Placement  `json:"placement,omitempty"`
	Norm        BranchNorm `json:"branch_norm,omitempty"`
	LearnScale  bool       `json:"learn_scale,omitempty"` // each branch has a trained scale of its own
	Bottlenecks []int      `json:"bottlenecks,omitempty"` // r of each of Blocks, where they differ; Bottleneck is the widest

	Pool     Pool     `json:"pool"`
	HeadNorm bool     `json:"head_norm"` // BatchNorm without affine before the head's linear layer
	Task     Task     `json:"task"`
	Labels   []string `json:"labels"`

	// Thresholds are the probabilities from which on the labels of a multi-label task count as present, each from 0 to 1;
	// none: 0.5 for all.
	Thresholds []float32 `json:"thresholds,omitempty"`

	Size          int           `json:"size"` // side of the square input in pixels
	Fit           Fit           `json:"fit"`
	Interpolation Interpolation `json:"interpolation"`
	Mean          [3]float32    `json:"mean"`
	Std           [3]float32    `json:"std"`
}

// clone copies c with its slices.
func (c Config) clone() Config {
	c.Blocks, c.Bottlenecks = slices.Clone(c.Blocks), slices.Clone(c.Bottlenecks)
	c.Labels, c.Tags, c.Thresholds = slices.Clone(c.Labels), slices.Clone(c.Tags), slices.Clone(c.Thresholds)
	return c
}

// MaxBottleneck is the widest branch.
const MaxBottleneck = 256

// Validate checks c on its own; a backbone of depth blocks must be able to carry it. It returns ErrConfig.
func (c Config) Validate(depth int) error {
	if err := c.check(depth); err != nil {
		return fmt.Errorf("%v: %w", err, ErrConfig)
	}
	return nil
}

func (c Config) check(depth int) error {
	if err := c.checkBranches(depth); err != nil {
		return err
	}
	if err := c.checkLabels(); err != nil {
		return err
	}
	if err := c.checkWords(); err != nil {
		return err
	}
	if c.Task != SingleLabel && c.Task != MultiLabel {
		return fmt.Errorf("task %q, expected single-label or multi-label", c.Task)
	}
	if c.Size < 1 || c.Size > checkpoint.MaxSide {
		return fmt.Errorf("size %d, expected 1 to %d pixels", c.Size, checkpoint.MaxSide)
	}
	if c.Fit != Squash && c.Fit != Crop {
		return fmt.Errorf("fit %q, expected squash or crop", c.Fit)
	}
	if err := c.Pool.Check(); err != nil {
		return err
	}
	return checkpoint.CheckNormalisation(c.Interpolation, c.Mean, c.Std)
}

// Bounds of what an adapter says of itself, in bytes, and of its tags.
const (
	maxName        = 256
	maxDescription = 4096
	maxTags        = 64
)

func (c Config) checkWords() error {
	if len(c.Name) > maxName || len(c.Description) > maxDescription {
		return fmt.Errorf("name of %d bytes and description of %d, expected at most %d and %d", len(c.Name), len(c.Description), maxName, maxDescription)
	}
	if len(c.Tags) > maxTags {
		return fmt.Errorf("%d tags, expected at most %d", len(c.Tags), maxTags)
	}
	for _, t := range c.Tags {
		if t == "" || len(t) > maxName {
			return fmt.Errorf("tag %.40q of %d bytes, expected 1 to %d", t, len(t), maxName)
		}
	}
	return nil
}

func (c Config) checkBranches(depth int) error {
	switch c.Method {
	case Linear:
		if len(c.Blocks) > 0 {
			return fmt.Errorf("method linear with branches in blocks %v", c.Blocks)
		}
		if c.hasOptions() {
			return errors.New("method linear with options of branches")
		}
		return nil
	case AdaptFormer:
	default:
		return fmt.Errorf("method %q, expected adaptformer or linear", c.Method)
	}
	if len(c.Blocks) == 0 {
		return errors.New("no blocks, expected at least one")
	}
	for i, b := range c.Blocks {
		if b < 0 || b >= depth || i > 0 && b <= c.Blocks[i-1] {
			return fmt.Errorf("blocks %v, expected ascending numbers from 0 to %d", c.Blocks, depth-1)
		}
	}
	if c.Bottleneck < 1 || c.Bottleneck > MaxBottleneck {
		return fmt.Errorf("bottleneck %d, expected 1 to %d", c.Bottleneck, MaxBottleneck)
	}
	if c.Scale-c.Scale != 0 {
		return fmt.Errorf("scale %g, expected a finite number", c.Scale)
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return fmt.Errorf("dropout %g, expected at least 0 and below 1", c.Dropout)
	}
	return c.checkOptions()
}

func (c Config) checkLabels() error {
	if len(c.Labels) == 0 {
		return errors.New("no labels, expected at least one")
	}
	seen := make(map[string]bool, len(c.Labels))
	for i, l := range c.Labels {
		if l == "" || seen[l] {
			return fmt.Errorf("label %d is %q, expected distinct names", i, l)
		}
		seen[l] = true
	}
	return c.checkThresholds()
}

func (c Config) checkThresholds() error {
	if c.Thresholds == nil {
		return nil
	}
	if c.Task != MultiLabel || len(c.Thresholds) != len(c.Labels) {
		return fmt.Errorf("%d thresholds for %d labels of a %s task, expected one a label of a multi-label task", len(c.Thresholds), len(c.Labels), c.Task)
	}
	for i, t := range c.Thresholds {
		if !(t >= 0 && t <= 1) {
			return fmt.Errorf("threshold %g of label %q, expected 0 to 1", t, c.Labels[i])
		}
	}
	return nil
}

// Threshold is the probability from which on a label of a multi-label task counts as present.
func (c Config) Threshold(label int) float32 {
	if c.Thresholds == nil {
		return 0.5
	}
	return c.Thresholds[label]
}

// Sigmoid is the probability of a label whose logit is z, rounded once.
func Sigmoid(z float32) float32 { return float32(1 / (1 + math.Exp(-float64(z)))) }

// FeatureWidth is the width of the pooled vector for tokens of width dim.
func (c Config) FeatureWidth(dim int) int {
	if c.Pool == PoolCLSMean {
		return 2 * dim
	}
	return dim
}

// spec is a tensor that an adapter has.
type spec struct {
	name  string
	shape tensor.Shape
}

const (
	runningMean  = "head.0.running_mean"
	runningVar   = "head.0.running_var"
	fcNormWeight = "fc_norm.weight"
	fcNormBias   = "fc_norm.bias"

	// In the name of a branch. The authors' name says "before" also where the norm is on the output.
	normLeaf  = "adapter_layer_norm_before."
	scaleLeaf = "scale"
)

// headName is the prefix of the head's linear layer: with a BatchNorm it is the second of a sequence.
func (c Config) headName() string {
	if c.HeadNorm {
		return "head.1."
	}
	return "head."
}

// branch lists the tensors of the branch of width r with the given name, on tokens of width dim.
func (c Config) branch(name string, dim, r int) []spec {
	list := []spec{
		{name + "down_proj.weight", tensor.Shape{r, dim}}, {name + "down_proj.bias", tensor.Shape{r}},
		{name + "up_proj.weight", tensor.Shape{dim, r}}, {name + "up_proj.bias", tensor.Shape{dim}}}
	if c.Norm != NormNone {
		list = append(list, spec{name + normLeaf + "weight", tensor.Shape{dim}}, spec{name + normLeaf + "bias", tensor.Shape{dim}})
	}
	if c.LearnScale {
		list = append(list, spec{name + scaleLeaf, tensor.Shape{1}})
	}
	return list
}

// specs lists the adapter's tensors in the order of its file.
func (c Config) specs(backbone Ref) []spec {
	var list []spec
	for _, i := range c.Blocks {
		list = append(list, c.branch(backbone.BranchName(i), backbone.BlockDim(i), c.BottleneckOf(i))...)
	}
	dim := backbone.FeatureDim()
	if c.Pool == PoolMean {
		list = append(list, spec{fcNormWeight, tensor.Shape{dim}}, spec{fcNormBias, tensor.Shape{dim}})
	}
	width, classes := c.FeatureWidth(dim), len(c.Labels)
	if c.HeadNorm {
		list = append(list, spec{runningMean, tensor.Shape{width}}, spec{runningVar, tensor.Shape{width}})
	}
	return append(list,
		spec{c.headName() + "weight", tensor.Shape{classes, width}}, spec{c.headName() + "bias", tensor.Shape{classes}})
}
