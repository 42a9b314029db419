package main

import (
	"slices"
	"strings"
	"testing"
)

// FuzzFlags reads what the flags with a syntax of their own take. Blocks that are accepted are ascending without repetitions
// and come back from their printed form; the other values are in their ranges.
func FuzzFlags(f *testing.F) {
	for _, text := range []string{"", "1-12", "1,3,5-8", "3.1-3.6", "9999999999", "crop,flip", "crop=0.3,jitter=0.1", "none", "learn", "0.1", "1e39", "300MB", "1.5 GiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1<<10 {
			return
		}
		blocks, err := resolveBlocks(text, []int{2, 2, 6, 2})
		if again, e := resolveBlocks(formatBlocks(blocks), nil); err == nil && (e != nil || !slices.Equal(again, blocks)) {
			t.Errorf("--blocks %q: %v, again %v, %v", text, blocks, again, e)
		}
		for i, b := range blocks {
			if b < 0 || b >= maxBlock || i > 0 && b <= blocks[i-1] {
				t.Fatalf("--blocks %q: %v", text, blocks)
			}
		}
		if a, err := parseAugment(text); err == nil && !(a.MinArea >= 0 && a.MinArea <= 1 && a.Jitter >= 0 && a.Jitter <= 1) {
			t.Errorf("--augment %q: %+v", text, a)
		}
		if scale, _, err := parseScale(text); err == nil && scale-scale != 0 {
			t.Errorf("--scale %q: %v", text, scale)
		}
		if b := new(byteSize); b.Set(text) == nil && (*b < 1 || strings.TrimSpace(text) == "") {
			t.Errorf("bytes %q: %d", text, *b)
		}
	})
}
