package main

import (
	"slices"
	"strconv"
	"strings"
)

// maxBlock bounds block numbers, far above the depth of any ViT, so that a typing error does not make a huge list.
const maxBlock = 1000

// parseBlocks reads a list such as "1-12", "7-12" or "1,3,5-8". Blocks count from 1 there and from 0 in the result,
// which is ascending without repetitions; nil, for all blocks, where text is empty.
func parseBlocks(text string) ([]int, error) {
	if text == "" {
		return nil, nil
	}
	var blocks []int
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := blockNumber(from, text)
		if err != nil {
			return nil, err
		}
		last := first
		if isRange {
			if last, err = blockNumber(to, text); err != nil {
				return nil, err
			}
		}
		if last < first {
			return nil, usagef("--blocks %q: the range %s runs backwards", text, strings.TrimSpace(part))
		}
		for b := first; b <= last; b++ {
			blocks = append(blocks, b-1)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(blocks))), nil
}

func blockNumber(s, text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > maxBlock {
		return 0, usagef("--blocks %q: %q is no block number, expected a list such as 1-12 or 1,3,5-8, counted from 1", text, s)
	}
	return n, nil
}
