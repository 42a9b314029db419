package tune

import (
	"fmt"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// ErrConfig says that a setting is out of its range.
var ErrConfig = errors.New("invalid tuning configuration")

// Config says how to tune. Default gives the recipe; change what you need.
type Config struct {
	Method     adapter.Method
	Blocks     []int   // blocks that get a branch, counted from 0; nil for all
	Bottleneck int     // r, 1 to 256
	Scale      float32 // s, of the branch
	Dropout    float32 // in the branch, while training
	Options
	Pool adapter.Pool
	Size int // side of the square input in pixels, a multiple of the patch
	Fit  adapter.Fit

	Epochs         int     // of the adapter, or of the probe where Method is Linear; 0 chooses by the number of images
	LR             float64 // peak learning rate of the same; 0 chooses by the batch
	Batch          int
	Accumulate     int               `json:",omitempty"` // batches whose gradients are summed for one update, in the memory of one; 0 for 1
	Optimizer      Optimizer         // of the adapter, or of the probe where Method is Linear; other probes are fitted by SGD. Empty: AdamW for branches, else SGD; and SGD for a ViT where LR is given, as the paper's rates are SGD's
	WeightDecay    float32           // of the same; AdamW's is decoupled
	LabelSmoothing float32           // share of a label's weight that is spread over all classes, from 0 below 1
	Augment        data.Augmentation `json:",omitzero"` // of the pictures that train branches; the frozen blocks below them then run in every step
	Balance        bool              // draw as many images of every class in an epoch, by repeating and leaving out
	ClipNorm       float32           // bound on the norm of all gradients of a step together; 0 for the default of 5, negative for none
	Warmup         float64           // share of the epochs with a rising rate

	ProbeEpochs int     // of the linear probe
	ProbeLR     float64 // 0 chooses by the batch

	Val  float64 // share of each class held out to choose the epoch; 0 trains on all and keeps the last
	Seed uint64

	Checkpoint Checkpoint

	CacheBytes   int64 // tokens beyond this are cached in a temporary file instead of memory
	MemoryBudget int64 // bytes that the run may take, 0 for no limit; see Memory for what it chooses
	Workers      int   // image decoders; 0 for one per processor

	Name, Description string   // for the adapter file
	Tags              []string // likewise
}

// Default is the recipe: AdaptMLP of 64 in every block, scale 0.1, AdamW and a cosine schedule.
func Default() Config {
	return Config{Method: adapter.AdaptFormer, Bottleneck: 64, Scale: 0.1, Dropout: 0.1, Size: 112, Fit: adapter.Squash,
		Batch: 32, Warmup: 0.2, ProbeEpochs: 60, Val: 0.15, CacheBytes: 1 << 30}
}

// Optimizer names the rule that training follows.
type Optimizer string

// The rules.
const (
	SGD   Optimizer = "sgd"   // with momentum 0.9
	AdamW Optimizer = "adamw" // with betas 0.9 and 0.999
)

const momentum = 0.9

// optimizer is the rule of a phase.
func (c Config) optimizer(p Phase) nn.OptimizerConfig {
	if p == Probe && c.Method != adapter.Linear {
		return nn.OptimizerConfig{Momentum: momentum}
	}
	if c.Optimizer == AdamW {
		return nn.OptimizerConfig{AdamW: &backend.AdamWConfig{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: c.WeightDecay}}
	}
	return nn.OptimizerConfig{Momentum: momentum, WeightDecay: c.WeightDecay}
}

// accumulate is how many batches an update of a phase takes.
func (c Config) accumulate(p Phase) int {
	if p == Probe && c.Method != adapter.Linear {
		return 1
	}
	return c.Accumulate
}

// Rates per 32 images of a batch, found on three image sets with this backbone; see RATIONALE.
const (
	adapterRate = 0.05
	probeRate   = 0.1
	adamWRate   = 1e-3 // either's
)

// clipNorm bounds a step's gradients; see RATIONALE.
const clipNorm = 5

// minSteps is how many optimiser steps a run of unstated length should have, within 15 to 60 epochs.
const minSteps = 300

// complete fills what is left open, given the backbone's depth and patch and the number of training images.
func (c Config) complete(depth, patch, images int, pool adapter.Pool) (Config, error) {
	var err error
	if c, err = c.continued(); err != nil {
		return c, err
	}
	if c.Pool == "" {
		c.Pool = pool
	}
	if c.Blocks == nil {
		for i := range depth {
			c.Blocks = append(c.Blocks, i)
		}
	}
	c.Blocks = slices.Compact(slices.Sorted(slices.Values(c.Blocks)))
	if c.Method == adapter.Linear {
		c.Blocks = nil
		if c.Epochs > 0 {
			c.ProbeEpochs = c.Epochs
		}
		if c.LR > 0 {
			c.ProbeLR = c.LR
		}
	}
	if pool == adapter.PoolNormMean && c.Pool != pool {
		return c, errors.WithMessagef(ErrConfig, "pool %q, expected norm_mean: a swin has no class token", c.Pool)
	}
	if err := c.validate(depth, patch); err != nil {
		return c, err
	}
	c.Batch = min(c.Batch, images)
	if c.Optimizer == "" {
		c.Optimizer = SGD
		if swin := pool == adapter.PoolNormMean; c.Method == adapter.AdaptFormer && (swin || c.LR == 0) {
			c.Optimizer = AdamW // see RATIONALE
		}
	}
	if c.ClipNorm == 0 {
		c.ClipNorm = clipNorm
	}
	own, probe := adapterRate, probeRate
	if c.Optimizer == AdamW {
		if own = adamWRate; c.Method == adapter.Linear {
			probe = adamWRate
		}
	}
	c.Accumulate = max(1, min(c.Accumulate, images/c.Batch))
	update := c.Batch * c.Accumulate // images
	if c.LR == 0 {
		c.LR = own * float64(update) / 32
	}
	if c.ProbeLR == 0 {
		c.ProbeLR = probe * float64(c.Batch*c.accumulate(Probe)) / 32
	}
	if c.Epochs == 0 {
		c.Epochs = min(60, max(15, minSteps*update/images))
	}
	return c, nil
}

func (c Config) validate(depth, patch int) error {
	for _, rule := range []struct {
		ok   bool
		text string
	}{
		{c.Method == adapter.AdaptFormer || c.Method == adapter.Linear, fmt.Sprintf("method %q, expected adaptformer or linear", c.Method)},
		{c.Method == adapter.Linear || len(c.Blocks) > 0, "no blocks, expected at least one"},
		{len(c.Blocks) == 0 || c.Blocks[0] >= 0 && c.Blocks[len(c.Blocks)-1] < depth,
			fmt.Sprintf("blocks reach outside 1 to %d, the backbone's depth", depth)},
		{c.Bottleneck >= 1 && c.Bottleneck <= 256, fmt.Sprintf("bottleneck %d, expected 1 to 256", c.Bottleneck)},
		{finite(float64(c.Scale)), fmt.Sprintf("scale %g, expected a finite number", c.Scale)},
		{c.Dropout >= 0 && c.Dropout < 1, fmt.Sprintf("dropout %g, expected at least 0 and below 1", c.Dropout)},
		{c.Pool.Check() == nil, fmt.Sprintf("pool %q, expected cls, mean, cls_mean or norm_mean", c.Pool)},
		{c.Size >= patch && c.Size%patch == 0 && c.Size <= maxSize,
			fmt.Sprintf("size %d, expected a multiple of the patch %d, up to %d", c.Size, patch, maxSize)},
		{c.Fit == adapter.Squash || c.Fit == adapter.Crop, fmt.Sprintf("fit %q, expected squash or crop", c.Fit)},
		{c.Epochs >= 0 && c.Epochs <= 100000, fmt.Sprintf("%d epochs, expected 1 to 100000", c.Epochs)},
		{c.ProbeEpochs >= 1 && c.ProbeEpochs <= 100000, fmt.Sprintf("%d probe epochs, expected 1 to 100000", c.ProbeEpochs)},
		{c.LR >= 0 && finite(c.LR), fmt.Sprintf("learning rate %g, expected a positive number", c.LR)},
		{c.ProbeLR >= 0 && finite(c.ProbeLR), fmt.Sprintf("probe learning rate %g, expected a positive number", c.ProbeLR)},
		{c.Batch >= 2 && c.Batch <= 4096, fmt.Sprintf("batch %d, expected 2 to 4096", c.Batch)},
		{c.Accumulate >= 0 && c.Accumulate <= 4096, fmt.Sprintf("%d batches an update, expected 1 to 4096", c.Accumulate)},
		{c.Optimizer == "" || c.Optimizer == SGD || c.Optimizer == AdamW, fmt.Sprintf("optimizer %q, expected sgd or adamw", c.Optimizer)},
		{c.WeightDecay >= 0 && c.WeightDecay < 1, fmt.Sprintf("weight decay %g, expected at least 0 and below 1", c.WeightDecay)},
		{c.LabelSmoothing >= 0 && c.LabelSmoothing < 1, fmt.Sprintf("label smoothing %g, expected at least 0 and below 1", c.LabelSmoothing)},
		{finite(float64(c.ClipNorm)), fmt.Sprintf("norm %g to clip gradients to, expected a finite number", c.ClipNorm)},
		{c.Warmup >= 0 && c.Warmup < 1, fmt.Sprintf("warm-up %g, expected a share at least 0 and below 1", c.Warmup)},
		{c.Val >= 0 && c.Val < 1, fmt.Sprintf("validation share %g, expected at least 0 and below 1", c.Val)},
	} {
		if !rule.ok {
			return errors.WithMessage(ErrConfig, rule.text)
		}
	}
	if err := c.Augment.Check(); err != nil {
		return errors.WithMessage(ErrConfig, err.Error())
	}
	if c.Augment.Any() && c.Method == adapter.Linear {
		return errors.WithMessage(ErrConfig, "augmentation of a linear probe, which is fitted on features that are computed once; expected method adaptformer")
	}
	return c.Options.validate()
}

// maxSize bounds the input side: a 2048-pixel image has over 20,000 tokens, and attention grows with their square.
const maxSize = 2048

func finite(x float64) bool { return x-x == 0 }
