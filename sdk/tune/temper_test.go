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
}
