package report

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// ticks labels an axis at multiples of 1, 2 or 5 times a power of ten.
type ticks struct {
	most  int     // labels
	least float64 // step: 1 where only whole numbers make sense
}

// Ticks implements plot.Ticker.
func (t ticks) Ticks(low, high float64) []plot.Tick {
	step := t.step(high - low)
	decimals := max(0, int(-math.Floor(math.Log10(step)+1e-9)))
	var list []plot.Tick
	for k := math.Ceil(low / step); k*step <= high; k++ {
		list = append(list, plot.Tick{Value: k * step, Label: strconv.FormatFloat(k*step+0, 'f', decimals, 64)})
	}
	return list
}

// step is the smallest that gives no more than the wanted number of labels.
func (t ticks) step(extent float64) float64 {
	rough := max(extent/float64(t.most), t.least)
	if !(rough > 0) || math.IsInf(rough, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= rough*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}
