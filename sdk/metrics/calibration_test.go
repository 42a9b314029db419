package metrics

import (
	"math"
	"testing"
)

func TestCalibrate(t *testing.T) {
	c := Calibrate([]float64{0.95, 0.85, 0.9, 0.15, 1, math.NaN()}, []bool{true, false, true, false, true, true}, 2)
	want := []Bin{{Count: 2, Confidence: 0.075, Accuracy: 0.5}, {Count: 4, Confidence: 0.925, Accuracy: 0.75}}
	for i, b := range c.Bins {
		w := want[i]
		if b.Count != w.Count || math.Abs(b.Confidence-w.Confidence) > 1e-12 || math.Abs(b.Accuracy-w.Accuracy) > 1e-12 {
			t.Errorf("bin %d: %+v, want %+v", i, b, w)
		}
	}
	if want := (2*0.425 + 4*0.175) / 6; math.Abs(c.ECE-want) > 1e-12 {
		t.Errorf("ECE %g, want %g", c.ECE, want)
	}
	if c := Calibrate(nil, nil, 3); c.ECE != 0 || len(c.Bins) != 3 {
		t.Errorf("nothing: %+v", c)
	}
	if c := Calibrate([]float64{1}, []bool{true}, 0); c.Bins != nil {
		t.Errorf("no bins: %+v", c)
	}
}
