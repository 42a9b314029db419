package data

import (
	"slices"
	"testing"
)

// TestBalancedShuffle: every class as often as any other to within one, rare items repeated only after all have come, and over
// the epochs every item of a frequent class.
func TestBalancedShuffle(t *testing.T) {
	var labels []int32
	for class, n := range []int{3, 40, 0, 7, 1} {
		for range n {
			labels = append(labels, int32(class))
		}
	}
	seen := make([]int, len(labels))
	for epoch := range 40 {
		order := BalancedShuffle(labels, 5, epoch)
		if len(order) != len(labels) || !slices.Equal(order, BalancedShuffle(labels, 5, epoch)) {
			t.Fatalf("epoch %d: %d items of %d, or another order the second time", epoch, len(order), len(labels))
		}
		classes, items := map[int32]int{}, make([]int, len(labels))
		for _, i := range order {
			classes[labels[i]]++
			items[i]++
			seen[i]++
		}
		for class, n := range classes {
			if n != len(labels)/4 && n != len(labels)/4+1 {
				t.Errorf("epoch %d: class %d comes %d times of %d", epoch, class, n, len(labels))
			}
			var times []int
			for i, l := range labels {
				if l == class {
					times = append(times, items[i])
				}
			}
			if slices.Max(times)-slices.Min(times) > 1 {
				t.Errorf("epoch %d: items of class %d come %v times", epoch, class, times)
			}
		}
	}
	if slices.Min(seen) == 0 {
		t.Errorf("in 40 epochs some items never come: %v", seen)
	}
	if slices.Equal(BalancedShuffle(labels, 5, 1), BalancedShuffle(labels, 6, 1)) || slices.Equal(BalancedShuffle(labels, 5, 1), BalancedShuffle(labels, 5, 2)) {
		t.Error("seed or epoch does not matter")
	}
	if n := len(BalancedShuffle(nil, 1, 1)); n != 0 {
		t.Errorf("%d items of none", n)
	}
}
