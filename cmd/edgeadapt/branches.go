package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/spf13/pflag"
)

// branchFlags are the options of tune that say what the branches are, beside their blocks and width.
type branchFlags struct {
	set                                    *pflag.FlagSet
	placement, norm, scale, scaling, start string
	init                                   string
}

// decidedByInit are the options that an adapter to go on from takes the place of.
var decidedByInit = []string{"method", "blocks", "bottleneck", "bottleneck-scaling", "placement", "branch-norm", "scale", "start", "pool"}

// Words of --scale and --bottleneck-scaling.
const (
	scaleLearn          = "learn"
	scalingFixed        = "fixed"
	scalingProportional = "proportional"
)

func (f *branchFlags) register(fl *pflag.FlagSet, d tune.Config) {
	f.set = fl
	fl.StringVar(&f.scale, "scale", strconv.FormatFloat(float64(d.Scale), 'g', -1, 32), "factor on a branch's output, or learn: one trained in each branch, from 1 on")
	fl.StringVar(&f.placement, "placement", d.Placement.String(), "parallel (beside the MLP) or sequential (behind it)")
	fl.StringVar(&f.norm, "branch-norm", d.BranchNorm.String(), "LayerNorm of a branch: none, in (on its input) or out (on its output)")
	fl.StringVar(&f.scaling, "bottleneck-scaling", scalingFixed, "fixed (one width in all stages of a Swin) or proportional (--bottleneck in the widest, less below)")
	fl.StringVar(&f.start, "start", d.Start.String(), "how branches start: zero (they add nothing) or video (as in the AdaptFormer authors' video code)")
	fl.StringVar(&f.init, "init", "", "adapter to go on from: its branches, and its head if its labels are the data's")
}

// complete checks the options and puts them into c.
func (f *branchFlags) complete(c *tune.Config) error {
	var errs [4]error
	c.Placement, errs[0] = adapter.ParsePlacement(f.placement)
	c.BranchNorm, errs[1] = adapter.ParseBranchNorm(f.norm)
	c.Start, errs[2] = adapter.ParseInit(f.start)
	c.Scale, c.LearnScale, errs[3] = parseScale(f.scale)
	for _, err := range errs {
		if err != nil {
			return usagef("%v", err)
		}
	}
	switch f.scaling {
	case scalingFixed, scalingProportional:
		c.Proportional = f.scaling == scalingProportional
	default:
		return usagef("--bottleneck-scaling %q, expected fixed or proportional", f.scaling)
	}
	if f.init == "" {
		return nil
	}
	if i := slices.IndexFunc(decidedByInit, f.set.Changed); i >= 0 {
		return usagef("--%s together with --init: the adapter to go on from says what its branches are", decidedByInit[i])
	}
	var err error
	if c.From, err = adapter.ReadFile(f.init); err != nil {
		return err
	}
	from := c.From.Config()
	if !f.set.Changed("size") {
		c.Size = from.Size
	}
	if !f.set.Changed("dropout") {
		c.Dropout = from.Dropout
	}
	if !f.set.Changed("fit") {
		c.Fit = from.Fit
	}
	return nil
}

func parseScale(text string) (scale float32, learn bool, err error) {
	if text == scaleLearn {
		return 1, true, nil
	}
	v, err := strconv.ParseFloat(text, 32)
	if err != nil || v-v != 0 {
		return 0, false, fmt.Errorf("--scale %q, expected a finite number or learn", text)
	}
	return float32(v), false, nil
}

// branchesText says in a few words what an adapter's branches are; options at their default go without saying.
func branchesText(c adapter.Config) string {
	widths := fmt.Sprint(c.Bottleneck)
	if c.Bottlenecks != nil {
		widths = strings.Trim(strings.Join(strings.Fields(fmt.Sprint(c.Bottlenecks)), ", "), "[]")
	}
	text := fmt.Sprintf("blocks %s, bottleneck %s, scale ", formatBlocks(c.Blocks), widths)
	if c.LearnScale {
		text += "learned"
	} else {
		text += fmt.Sprintf("%g", c.Scale)
	}
	if c.Placement != adapter.Parallel {
		text += ", " + c.Placement.String()
	}
	if c.Norm != adapter.NormNone {
		text += ", LayerNorm " + c.Norm.String()
	}
	return text
}
