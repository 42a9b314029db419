package metrics

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestBestThreshold(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct {
		name     string
		scores   []float32
		positive []bool
		want     float32
	}{
		{"apart", []float32{0.9, 0.2, 0.8, 0.4}, []bool{true, false, true, false}, 0.6},
		{"all positive", []float32{0.5, 0.25}, []bool{true, true}, 0.125},
		{"none positive", []float32{0.5, 0.25}, []bool{false, false}, 0.5},
		{"no samples", nil, nil, 0.5},
		{"one of three at the top", []float32{0.9, 0.6, 0.4}, []bool{true, false, false}, 0.75},
		{"recall is worth a mistake", []float32{0.9, 0.8, 0.7, 0.1}, []bool{true, false, true, false}, 0.4},
		{"equal scores stay together", []float32{0.5, 0.5, 0.1}, []bool{true, false, false}, 0.3},
		{"no numbers", []float32{nan, 0.5, nan}, []bool{false, true, true}, 0.25},
	} {
		if got := BestThreshold(c.scores, c.positive); math.Abs(float64(got-c.want)) > 1e-6 {
			t.Errorf("%s: %g, want %g", c.name, got, c.want)
		}
	}
}

// TestBestThresholdIsBest: no other threshold has a higher F1.
func TestBestThresholdIsBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		scores, positive := make([]float32, n), make([]bool, n)
		for i := range scores {
			scores[i] = float32(rapid.IntRange(0, 12).Draw(t, "score")) / 12
			positive[i] = rapid.Bool().Draw(t, "positive")
		}
		best := Decide(scores, positive, BestThreshold(scores, positive))
		for k := range 25 {
			if d := Decide(scores, positive, float32(k)/24); d.F1 > best.F1+1e-12 {
				t.Fatalf("F1 %g at %g, %g at the best of %v", d.F1, float32(k)/24, best.F1, scores)
			}
		}
	})
}

func TestDecide(t *testing.T) {
	d := Decide([]float32{0.9, 0.5, 0.4, 0.1}, []bool{true, false, true, false}, 0.5) // takes the first two
	if d != (Decision{Precision: 0.5, Recall: 0.5, F1: 0.5}) {
		t.Errorf("%+v", d)
	}
	if d := Decide([]float32{0.1}, []bool{false}, 0.5); d != (Decision{}) {
		t.Errorf("nothing taken: %+v", d)
	}
}
