package metrics

import (
	"cmp"
	"slices"
)

// Decision is how the samples fare whose score reaches a threshold.
type Decision struct {
	Precision float64 // share of those that are positive; 0 where there are none
	Recall    float64 // share of the positives that are among them; 0 without positives
	F1        float64 // harmonic mean of the two
}

// Decide judges a threshold on the samples that both lists have.
func Decide(scores []float32, positive []bool, threshold float32) Decision {
	var found, taken, total int
	for i := range min(len(scores), len(positive)) {
		if positive[i] {
			total++
		}
		if scores[i] >= threshold {
			taken++
			if positive[i] {
				found++
			}
		}
	}
	return decision(found, taken, total)
}

func decision(found, taken, total int) Decision {
	return Decision{Precision: ratio(float64(found), taken), Recall: ratio(float64(found), total), F1: ratio(2*float64(found), taken+total)}
}

// BestThreshold is the threshold of highest F1 for probabilities: halfway between two neighbouring scores, or between the
// lowest score and 0; of equal ones the highest. Where no sample is positive nothing tells, and it is 0.5.
func BestThreshold(scores []float32, positive []bool) float32 {
	n := min(len(scores), len(positive))
	order := make([]int, n)
	total := 0
	for i := range order {
		order[i] = i
		if positive[i] {
			total++
		}
	}
	if total == 0 {
		return 0.5
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) }) // NaN last
	best, threshold := -1.0, float32(0.5)
	found := 0
	for k, i := range order {
		if positive[i] {
			found++
		}
		next := float32(0)
		if k+1 < n {
			next = scores[order[k+1]]
		}
		if next != next {
			next = 0
		}
		if scores[i] != scores[i] || k+1 < n && scores[i] == next {
			continue // no threshold falls between the two
		}
		if f1 := decision(found, k+1, total).F1; f1 > best {
			best, threshold = f1, scores[i]+(next-scores[i])/2
		}
	}
	return threshold
}
