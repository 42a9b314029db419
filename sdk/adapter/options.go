package adapter

import (
	"fmt"
	"slices"
)

// Placement is where a branch stands in its block.
type Placement string

// The placements. A parallel branch reads the tokens after attention, beside the MLP, and is added to its output; a
// sequential one reads the MLP's output and is added to it. See RATIONALE for what the AdaptFormer authors found.
const (
	Parallel   Placement = ""
	Sequential Placement = "sequential"
)

// String is the placement's word.
func (p Placement) String() string {
	if p == Parallel {
		return "parallel"
	}
	return string(p)
}

// ParsePlacement reads what String writes.
func ParsePlacement(s string) (Placement, error) {
	for _, p := range []Placement{Parallel, Sequential} {
		if s == p.String() {
			return p, nil
		}
	}
	return Parallel, fmt.Errorf("placement %q, expected parallel or sequential: %w", s, ErrConfig)
}

// BranchNorm is where a branch has a LayerNorm with trained gain and bias, of eps 1e-5 whatever the backbone's.
type BranchNorm string

// The norms: none; on the branch's input; on its output after the scale, which then nearly cancels.
const (
	NormNone BranchNorm = ""
	NormIn   BranchNorm = "in"
	NormOut  BranchNorm = "out"
)

// String is the norm's word.
func (n BranchNorm) String() string {
	if n == NormNone {
		return "none"
	}
	return string(n)
}

// ParseBranchNorm reads what String writes.
func ParseBranchNorm(s string) (BranchNorm, error) {
	for _, n := range []BranchNorm{NormNone, NormIn, NormOut} {
		if s == n.String() {
			return n, nil
		}
	}
	return NormNone, fmt.Errorf("branch norm %q, expected none, in or out: %w", s, ErrConfig)
}

// BottleneckOf is r of a block's branch, 0 where the block has none.
func (c Config) BottleneckOf(block int) int {
	i, ok := slices.BinarySearch(c.Blocks, block)
	switch {
	case !ok:
		return 0
	case c.Bottlenecks != nil:
		return c.Bottlenecks[i]
	}
	return c.Bottleneck
}

// Proportional returns c with bottlenecks in proportion to the width of each block's tokens: c.Bottleneck for the widest
// of c.Blocks, and at least 1. A ViT's blocks are of one width: nothing changes.
func (c Config) Proportional(backbone Ref) Config {
	widest := 0
	for _, b := range c.Blocks {
		widest = max(widest, backbone.BlockDim(b))
	}
	var rs []int
	for _, b := range c.Blocks {
		rs = append(rs, max(1, (c.Bottleneck*backbone.BlockDim(b)+widest/2)/widest))
	}
	if c.Bottlenecks = rs; len(rs) == 0 || slices.Min(rs) == slices.Max(rs) {
		c.Bottlenecks = nil
	}
	return c
}

// version is that of c's file: the lowest that has all of it, so that earlier releases read what they can run.
func (c Config) version() string {
	if c.hasOptions() || c.Thresholds != nil {
		return formatOptions
	}
	return formatVersion
}

// hasOptions reports whether branches are other than the paper's.
func (c Config) hasOptions() bool {
	return c.Placement != Parallel || c.Norm != NormNone || c.LearnScale || c.Bottlenecks != nil
}

// checkOptions checks what distinguishes an adapter with branches from the paper's own.
func (c Config) checkOptions() error {
	switch c.Placement {
	case Parallel, Sequential:
	default:
		return fmt.Errorf("placement %q, expected parallel or sequential", c.Placement)
	}
	switch c.Norm {
	case NormNone, NormIn, NormOut:
	default:
		return fmt.Errorf("branch norm %q, expected none, in or out", c.Norm)
	}
	if c.Bottlenecks == nil {
		return nil
	}
	if len(c.Bottlenecks) != len(c.Blocks) {
		return fmt.Errorf("%d bottlenecks for %d blocks", len(c.Bottlenecks), len(c.Blocks))
	}
	if slices.Min(c.Bottlenecks) < 1 || slices.Max(c.Bottlenecks) != c.Bottleneck {
		return fmt.Errorf("bottlenecks %v, expected 1 or more, and %d the widest", c.Bottlenecks, c.Bottleneck)
	}
	return nil
}
