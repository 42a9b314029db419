package metrics

import (
	"cmp"
	"slices"
)

// AP is an average precision and the number of positive samples behind it. Without positives it is undefined, and Value
// is 0.
type AP struct {
	Value     float64
	Positives int
}

// MultiLabel is how well scores rank the samples of each label.
type MultiLabel struct {
	MAP      float64 // macro: mean over the labels that have positives
	Micro    float64 // of all (sample, label) pairs ranked together
	PerLabel []AP
}

// AveragePrecision is the area under the precision-recall steps: over the distinct scores from high to low, precision at
// that threshold times the recall that it adds. Equal scores form one threshold, so the order of samples does not matter.
// Samples beyond the shorter of the two lists are left out.
func AveragePrecision(scores []float32, positive []bool) AP {
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
		return AP{}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) }) // NaN last
	var sum float64
	found, counted := 0, 0 // positives so far, and those already in sum
	for k, i := range order {
		if positive[i] {
			found++
		}
		if k+1 == n || cmp.Compare(scores[order[k+1]], scores[i]) != 0 {
			sum += float64(found-counted) * float64(found) / float64(k+1)
			counted = found
		}
	}
	return AP{Value: sum / float64(total), Positives: total}
}

// MeanAP scores a multi-label task. scores and positive are [samples][labels]; labels is the length of the first row of
// scores, and what shorter rows lack is left out.
func MeanAP(scores [][]float32, positive [][]bool) MultiLabel {
	var m MultiLabel
	if len(scores) == 0 {
		return m
	}
	var allScores []float32
	var allPositive []bool
	defined := 0
	for label := range scores[0] {
		s, p := column(scores, positive, label)
		allScores, allPositive = append(allScores, s...), append(allPositive, p...)
		ap := AveragePrecision(s, p)
		m.PerLabel = append(m.PerLabel, ap)
		if ap.Positives > 0 {
			m.MAP += ap.Value
			defined++
		}
	}
	m.MAP = ratio(m.MAP, defined)
	m.Micro = AveragePrecision(allScores, allPositive).Value
	return m
}

func column(scores [][]float32, positive [][]bool, label int) (s []float32, p []bool) {
	for i := range min(len(scores), len(positive)) {
		if label < len(scores[i]) && label < len(positive[i]) {
			s, p = append(s, scores[i][label]), append(p, positive[i][label])
		}
	}
	return s, p
}
