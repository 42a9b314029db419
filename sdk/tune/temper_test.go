package tune

import (
	"math"
	"testing"
)

// TestTemper brings an overconfident head to the starting loss, and leaves an unsure one alone.
func TestTemper(t *testing.T) {
	logits := [][]float32{{9, -3, 1}, {-2, 12, 0}, {1, 2, 8}, {7, 6, 0}}
	y := truth{labels: 3, classes: []int32{0, 1, 2, 1}} // the last one is wrong
	factor := temper(logits, y)
	loss := 0.0
	for i, row := range logits {
		z := make([]float32, 3)
		for c := range z {
			z[c] = float32(factor * float64(row[c]))
		}
		if argmax(z) != argmax(row) {
			t.Errorf("image %d: the choice changed", i)
		}
		loss += crossEntropy(z, int(y.classes[i])) / 4
	}
	if want := startLoss * math.Log(3); math.Abs(loss-want) > 1e-6 || factor >= 1 || factor <= 0 {
		t.Errorf("factor %g gives loss %g, expected %g", factor, loss, want)
	}
	if f := temper([][]float32{{0.01, 0, 0}, {0, 0, 0.01}}, truth{labels: 3, classes: []int32{0, 1}}); f != 1 {
		t.Errorf("an unsure head is scaled by %g", f)
	}
	// Heads that err with confidence: one reaches the starting loss when it is scaled far down, one never does.
	for name, rows := range map[string][][]float32{
		"mostly right": {{30, 0, 0}, {0, 30, 0}, {0, 0, 30}, {0, 30, 0}, {0, 30, 0}},
		"two right":    {{30, 0, 0}, {0, 30, 0}, {30, 0, 0}, {30, 0, 0}, {0, 30, 0}},
	} {
		y := truth{labels: 3, classes: []int32{0, 1, 2, 1, 0}}
		mean := func(f float64) (sum float64) {
			for i, row := range rows {
				sum += crossEntropy([]float32{float32(f) * row[0], float32(f) * row[1], float32(f) * row[2]}, int(y.classes[i])) / 5
			}
			return sum
		}
		f, want := temper(rows, y), startLoss*math.Log(3)
		if got := mean(f); mean(1) < 5 || got > mean(0) || math.Abs(got-want) > 1e-4 && (got < want || got > mean(0.9*f) || got > mean(1.1*f)) {
			t.Errorf("%s: factor %g gives loss %g, guessing %g, no factor %g", name, f, got, mean(0), mean(1))
		}
	}
}
