// Package metrics scores predictions: top-k accuracy, confusion matrix, recall and precision, average precision.
//
// Scores are [samples][classes]; any increasing function of the probability will do. NaN ranks below every number, so a
// model that has diverged never looks right. All functions are pure.
package metrics

// before reports whether class a ranks before class b: by score, and by index where scores are equal.
func before(scores []float32, a, b int) bool {
	switch x, y := scores[a], scores[b]; {
	case x > y || (x == x && y != y):
		return true
	case x < y || (x != x && y == y):
		return false
	}
	return a < b
}

// rank is the number of classes before class in a row of scores; a class outside of the row ranks last.
func rank(scores []float32, class int) int {
	if class < 0 || class >= len(scores) {
		return len(scores)
	}
	n := 0
	for c := range scores {
		if before(scores, c, class) {
			n++
		}
	}
	return n
}

// Best is the class with the highest score, the first of equal ones, or -1 where there are no classes.
func Best(scores []float32) int {
	best := -1
	for c := range scores {
		if best < 0 || before(scores, c, best) {
			best = c
		}
	}
	return best
}

// row is a sample's scores, none if there are fewer rows than labels.
func row(scores [][]float32, i int) []float32 {
	if i < len(scores) {
		return scores[i]
	}
	return nil
}

// TopK is the share of samples, 0 to 1, whose true class is among the k that score highest. Equal scores rank by lower
// class index. A label outside of its row of scores is a miss; without samples the result is 0.
func TopK(scores [][]float32, truth []int, k int) float64 {
	if len(truth) == 0 {
		return 0
	}
	hits := 0
	for i, t := range truth {
		if s := row(scores, i); t >= 0 && t < len(s) && rank(s, t) < k {
			hits++
		}
	}
	return float64(hits) / float64(len(truth))
}

// Confusion counts samples by true class (rows) and best-scored class (columns): [classes][classes]. Samples whose label
// or best class lies outside are left out.
func Confusion(scores [][]float32, truth []int, classes int) [][]int {
	counts := make([][]int, max(classes, 0))
	for i := range counts {
		counts[i] = make([]int, classes)
	}
	for i, t := range truth {
		if p := Best(row(scores, i)); t >= 0 && t < classes && p >= 0 && p < classes {
			counts[t][p]++
		}
	}
	return counts
}

// Class is how one class fares in a confusion matrix.
type Class struct {
	Samples   int     // that are of this class
	Predicted int     // that were taken for it
	Recall    float64 // share of Samples that were found; 0 without any
	Precision float64 // share of Predicted that were right; 0 without any
}

// PerClass reads recall and precision off a square confusion matrix.
func PerClass(confusion [][]int) []Class {
	out := make([]Class, len(confusion))
	for t, counts := range confusion {
		for p, n := range counts[:min(len(counts), len(out))] {
			out[t].Samples += n
			out[p].Predicted += n
			if t == p {
				out[t].Recall = float64(n) // divided below
			}
		}
	}
	for i := range out {
		c := &out[i]
		right := c.Recall
		c.Recall, c.Precision = ratio(right, c.Samples), ratio(right, c.Predicted)
	}
	return out
}

func ratio(a float64, b int) float64 {
	if b == 0 {
		return 0
	}
	return a / float64(b)
}
