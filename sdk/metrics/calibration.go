package metrics

import "math"

// Bin is a range of confidences and the decisions that fall in it.
type Bin struct {
	Count      int
	Confidence float64 // mean; 0 without any
	Accuracy   float64 // share that is right; 0 without any
}

// Calibration is how far confidences can be believed.
type Calibration struct {
	Bins []Bin // of equal width from 0 to 1
	ECE  float64
}

// Calibrate sorts decisions by their confidence, 0 to 1, into bins of equal width. ECE, the expected calibration error, is the
// mean distance between a bin's confidence and its accuracy, weighted by count. A confidence that is no number counts as 0.
// Entries beyond the shorter list are left out; bins below 1 give an empty result.
func Calibrate(confidence []float64, right []bool, bins int) Calibration {
	if bins < 1 {
		return Calibration{}
	}
	c := Calibration{Bins: make([]Bin, bins)}
	n := min(len(confidence), len(right))
	for i, p := range confidence[:n] {
		if !(p > 0) {
			p = 0
		}
		b := &c.Bins[min(int(p*float64(bins)), bins-1)]
		b.Count++
		b.Confidence += min(p, 1)
		if right[i] {
			b.Accuracy++
		}
	}
	for i := range c.Bins {
		b := &c.Bins[i]
		b.Confidence, b.Accuracy = ratio(b.Confidence, b.Count), ratio(b.Accuracy, b.Count)
		c.ECE += math.Abs(b.Confidence-b.Accuracy) * ratio(float64(b.Count), n)
	}
	return c
}
