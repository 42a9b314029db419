package data

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// listed makes a dataset of n[k] images in class k.
func listed(n ...int) *Dataset {
	d := &Dataset{}
	for label, count := range n {
		d.Classes = append(d.Classes, fmt.Sprintf("class%d", label))
		for i := range count {
			d.Items = append(d.Items, Item{Path: fmt.Sprintf("%d/%d", label, i), Label: label})
		}
	}
	return d
}

func count(items []Item, classes int) []int {
	n := make([]int, classes)
	for _, item := range items {
		n[item.Label]++
	}
	return n
}

func TestStratifiedSplitCounts(t *testing.T) {
	for _, c := range []struct {
		fraction float64
		images   []int
		val      []int
		warnings int
	}{
		{0.15, []int{1, 2, 3, 7, 37, 100}, []int{0, 1, 1, 1, 6, 15}, 1},
		{0.5, []int{2, 5, 64}, []int{1, 3, 32}, 0},
		{1, []int{1, 2, 9}, []int{0, 1, 8}, 1},
		{7, []int{4}, []int{3}, 0},
		{0, []int{1, 8}, []int{0, 0}, 0},
		{-1, []int{8}, []int{0}, 0},
	} {
		d := listed(c.images...)
		train, val, warnings := d.StratifiedSplit(c.fraction, 1)
		if got := count(val, len(c.images)); !slices.Equal(got, c.val) || len(warnings) != c.warnings {
			t.Errorf("fraction %g of %v: validation %v, warnings %q; want %v and %d", c.fraction, c.images, got, warnings, c.val, c.warnings)
		}
		if len(train)+len(val) != len(d.Items) {
			t.Errorf("fraction %g: %d + %d images of %d", c.fraction, len(train), len(val), len(d.Items))
		}
	}
}

func TestStratifiedSplitProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		images := rapid.SliceOfN(rapid.IntRange(1, 40), 1, 6).Draw(t, "images")
		fraction := rapid.Float64Range(0, 1).Draw(t, "fraction")
		seed := rapid.Uint64().Draw(t, "seed")
		d := listed(images...)
		train, val, _ := d.StratifiedSplit(fraction, seed)
		again, _, _ := d.StratifiedSplit(fraction, seed)
		if !reflect.DeepEqual(train, again) {
			t.Fatal("same seed, another split")
		}
		if slices.Contains(count(train, len(images)), 0) {
			t.Fatal("a class without a training image")
		}
		all := map[string]int{}
		for _, item := range append(slices.Clone(train), val...) {
			all[item.Path]++
		}
		for _, item := range d.Items {
			if all[item.Path] != 1 {
				t.Fatalf("%v occurs %d times", item, all[item.Path])
			}
		}
	})
}

// TestOrdersAreFixed: these numbers may never change, or a tuning run could not be repeated with a later release.
func TestOrdersAreFixed(t *testing.T) {
	for _, c := range []struct {
		n, epoch int
		seed     uint64
		want     []int
	}{
		{0, 0, 0, []int{}},
		{1, 3, 7, []int{0}},
		{7, 0, 0, []int{3, 4, 2, 6, 0, 5, 1}},
		{7, 1, 0, []int{5, 2, 3, 0, 4, 6, 1}},
		{7, 0, 1, []int{1, 0, 2, 3, 6, 4, 5}},
	} {
		got := Shuffle(c.n, c.seed, c.epoch)
		if !slices.Equal(got, c.want) {
			t.Errorf("Shuffle(%d, %d, %d) = %v, want %v", c.n, c.seed, c.epoch, got, c.want)
		}
	}
	_, val, _ := listed(7, 7).StratifiedSplit(0.4, 5)
	var got []string
	for _, item := range val {
		got = append(got, item.Path)
	}
	if want := []string{"0/0", "0/2", "0/6", "1/3", "1/4", "1/6"}; !slices.Equal(got, want) {
		t.Errorf("validation images %q, want %q", got, want)
	}
}

func TestShuffleIsUniform(t *testing.T) {
	const n, epochs = 7, 7000
	var at [n][n]int // how often item i lands on place p
	for e := range epochs {
		for p, i := range Shuffle(n, 11, e) {
			at[i][p]++
		}
	}
	var chi2 float64
	for i := range n {
		for p := range n {
			d := float64(at[i][p] - epochs/n)
			chi2 += d * d / (epochs / n)
		}
	}
	// 36 degrees of freedom: mean 36, standard deviation 8.5. The seed is fixed, so this cannot flicker.
	if chi2 > 36+4*8.5 {
		t.Errorf("chi square %.1f", chi2)
	}
}
