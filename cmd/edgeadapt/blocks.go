package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// maxBlock bounds block numbers, far above the depth of any ViT, so that a typing error does not make a huge list.
const maxBlock = 1000

// blockAt is a block by its running number, or by its number in a stage of a Swin; both count from 1, stage 0 is none.
type blockAt struct{ stage, block int }

// blockRange is a part of a list of blocks, with the text that it came from.
type blockRange struct {
	first, last blockAt
	text        string
}

// parseBlocks reads a list such as "1-12", "1,3,5-8" or, by stages, "3.1-3.6".
func parseBlocks(text string) (list []blockRange, err error) {
	if text == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		r := blockRange{text: strings.TrimSpace(part)}
		if r.first, err = parseBlock(from, text); err != nil {
			return nil, err
		}
		r.last = r.first
		if isRange {
			if r.last, err = parseBlock(to, text); err != nil {
				return nil, err
			}
		}
		if (r.first.stage == 0) != (r.last.stage == 0) {
			return nil, usagef("--blocks %.80q: the range %s has a stage on one side only", text, r.text)
		}
		if r.last.stage < r.first.stage || r.last.stage == r.first.stage && r.last.block < r.first.block {
			return nil, usagef("--blocks %.80q: the range %s runs backwards", text, r.text)
		}
		list = append(list, r)
	}
	return list, nil
}

// resolveBlocks reads a list of blocks of a backbone whose stages have the given numbers of blocks; a ViT has none. The
// result counts from 0 and is ascending without repetitions; nil, for all blocks, where text is empty.
func resolveBlocks(text string, stages []int) ([]int, error) {
	list, err := parseBlocks(text)
	if err != nil {
		return nil, err
	}
	var blocks []int
	for _, r := range list {
		first, err := r.first.number(text, stages)
		if err != nil {
			return nil, err
		}
		last, err := r.last.number(text, stages)
		if err != nil {
			return nil, err
		}
		for b := first; b <= last; b++ {
			blocks = append(blocks, b-1)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(blocks))), nil
}

// blocksOf is resolveBlocks for a backbone, whose blocks they must be.
func blocksOf(text string, of model.Ref) ([]int, error) {
	blocks, err := resolveBlocks(text, of.Stages)
	if err == nil && len(blocks) > 0 && blocks[len(blocks)-1] >= of.Depth {
		err = usagef("--blocks %.80q: there is no block %d, the backbone has 1 to %d", text, blocks[len(blocks)-1]+1, of.Depth)
	}
	return blocks, err
}

// number is the running number.
func (b blockAt) number(text string, stages []int) (int, error) {
	if b.stage == 0 {
		return b.block, nil
	}
	if b.stage > len(stages) || b.block > stages[b.stage-1] {
		return 0, usagef("--blocks %.80q: there is no block %d.%d, the backbone has stages of %v blocks", text, b.stage, b.block, stages)
	}
	for _, n := range stages[:b.stage-1] {
		b.block += n
	}
	return b.block, nil
}

func parseBlock(s, text string) (b blockAt, err error) {
	stage, block, byStage := strings.Cut(s, ".")
	if byStage {
		if b.stage, err = blockNumber(stage, text); err != nil {
			return b, err
		}
	} else {
		block = s
	}
	b.block, err = blockNumber(block, text)
	return b, err
}

func blockNumber(s, text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > maxBlock {
		return 0, usagef("--blocks %.80q: %q is no block number, expected a list such as 1-12, 1,3,5-8 or 3.1-3.6, counted from 1", text, s)
	}
	return n, nil
}
