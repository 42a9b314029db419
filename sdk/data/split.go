package data

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Shuffle is the order of n items in an epoch: a permutation of 0..n-1 that depends on its arguments only, on every
// machine and with every release.
func Shuffle(n int, seed uint64, epoch int) []int { return permutation(n, seed, 2*uint64(epoch)) }

// BalancedShuffle is the order of an epoch in which every class, labels' numbers from 0, comes equally often to within one: it
// holds as many items as there are labels, those of rare classes more than once and of frequent ones a part that changes with the
// epoch. It depends on its arguments only.
func BalancedShuffle(labels []int32, seed uint64, epoch int) []int {
	var members [][]int
	for i, l := range labels {
		for len(members) <= int(l) {
			members = append(members, nil)
		}
		members[l] = append(members[l], i)
	}
	members = slices.DeleteFunc(members, func(m []int) bool { return len(m) == 0 })
	turn := permutation(len(members), seed, 2*uint64(epoch)) // who gets one more changes too
	drawn := make([]int, 0, len(labels))
	for k, class := range turn {
		m := members[class]
		n := len(labels)*(k+1)/len(turn) - len(labels)*k/len(turn)
		for round := 0; n > 0; round++ {
			for _, i := range permutation(len(m), seed, 2*(uint64(epoch)+uint64(round)<<32))[:min(n, len(m))] {
				drawn = append(drawn, m[i])
			}
			n -= min(n, len(m))
		}
	}
	order := make([]int, len(drawn))
	for i, k := range permutation(len(drawn), seed, 2*uint64(epoch)) {
		order[i] = drawn[k]
	}
	return order
}

// StratifiedSplit takes a fraction of each class out for validation: round(fraction * images), at least one and never the
// last one. A class with a single image stays in train and is named in warnings. Both lists keep the dataset's order. A
// class's share depends on seed, its label and its number of images only. A fraction that is not above 0 takes nothing.
//
// In a multi-label dataset the images of every set of labels give up their share, rare sets by turns, and every label keeps
// an image in train.
func (d *Dataset) StratifiedSplit(fraction float64, seed uint64) (train, val []Item, warnings []string) {
	if !(fraction > 0) {
		return slices.Clone(d.Items), nil, nil
	}
	if d.MultiLabel {
		train, val = d.parts(d.holdOutSets(min(fraction, 1), seed))
		return train, val, nil
	}
	byClass := make([][]int, len(d.Classes))
	for i, item := range d.Items {
		byClass[item.Label] = append(byClass[item.Label], i)
	}
	held := make([]bool, len(d.Items))
	for label, members := range byClass {
		n := len(members)
		if n == 1 {
			warnings = append(warnings, fmt.Sprintf("class %q has one image, which is used for training only", d.Classes[label]))
		}
		take := min(max(int(math.Round(min(fraction, 1)*float64(n))), 1), n-1)
		for _, k := range permutation(n, seed, 2*uint64(label)+1)[:max(take, 0)] {
			held[members[k]] = true
		}
	}
	train, val = d.parts(held)
	return train, val, warnings
}

// parts are the items that are not held out and those that are.
func (d *Dataset) parts(held []bool) (train, val []Item) {
	for i, item := range d.Items {
		if held[i] {
			val = append(val, item)
		} else {
			train = append(train, item)
		}
	}
	return train, val
}

// holdOutSets walks the items, ordered by their sets of labels and at random within a set, and holds out every time that the
// fraction has added up to another image: a set's share is right to within one image, and so is that of all.
func (d *Dataset) holdOutSets(fraction float64, seed uint64) []bool {
	order := permutation(len(d.Items), seed, 1)
	slices.SortStableFunc(order, func(a, b int) int { return slices.Compare(d.Items[a].Labels, d.Items[b].Labels) })
	held := make([]bool, len(d.Items))
	left := make([]int, len(d.Classes)) // images in train by label
	for k, i := range order {
		held[i] = math.Floor(float64(k+1)*fraction+0.5) > math.Floor(float64(k)*fraction+0.5)
		for _, l := range d.Items[i].Labels {
			if !held[i] {
				left[l]++
			}
		}
	}
	for _, i := range order {
		if !held[i] || !slices.ContainsFunc(d.Items[i].Labels, func(l int) bool { return left[l] == 0 }) {
			continue
		}
		held[i] = false
		for _, l := range d.Items[i].Labels {
			left[l]++
		}
	}
	return held
}

// permutation is Fisher-Yates over a PCG of its own per stream: even streams are epochs, odd ones classes. The standard
// library fixes PCG's output but not how it draws from a range, so that is done here.
func permutation(n int, seed, stream uint64) []int {
	src := rand.NewPCG(seed, mix(stream))
	p := make([]int, max(n, 0))
	for i := range p {
		p[i] = i
	}
	for i := len(p) - 1; i > 0; i-- {
		j, _ := bits.Mul64(src.Uint64(), uint64(i)+1) // a bias below n/2^64
		p[i], p[j] = p[j], p[i]
	}
	return p
}

// mix is splitmix64's output function: neighbouring streams start far apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
