package model

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// resampleGrid brings a grid of positions [h, w, dim] to [toH, toW, dim], in float64. The filter is separable.
func resampleGrid(grid tensor.Tensor, toH, toW int, rule Resample) tensor.Tensor {
	h, w, dim := grid.Shape[0], grid.Shape[1], grid.Shape[2]
	if h == toH && w == toW {
		return grid.Clone()
	}
	rows, cols := filterTaps(h, toH, rule), filterTaps(w, toW, rule)
	between := make([]float64, h*toW*dim) // columns resampled, rows not yet
	for y := range h {
		for x, taps := range cols {
			out := between[(y*toW+x)*dim:][:dim]
			for _, t := range taps {
				for k, v := range grid.Data[(y*w+t.index)*dim:][:dim] {
					out[k] += t.weight * float64(v)
				}
			}
		}
	}
	to := tensor.New(toH, toW, dim)
	sum := make([]float64, dim)
	for y, taps := range rows {
		for x := range toW {
			clear(sum)
			for _, t := range taps {
				for k, v := range between[(t.index*toW+x)*dim:][:dim] {
					sum[k] += t.weight * v
				}
			}
			for k, v := range sum {
				to.Data[(y*toW+x)*dim+k] = float32(v)
			}
		}
	}
	return to
}

// tap is one input of a resampled value.
type tap struct {
	index  int
	weight float64
}

// filterTaps lists, for each of to outputs along an axis of n inputs, what it sums. Output i has its centre at
// (i + 1/2) n / to, counted in input pixels from the border.
func filterTaps(n, to int, rule Resample) [][]tap {
	taps := make([][]tap, to)
	scale := float64(n) / float64(to)
	for i := range taps {
		if centre := (float64(i) + 0.5) * scale; rule == ResampleAntialias {
			taps[i] = antialiasTaps(n, centre, max(scale, 1))
		} else {
			taps[i] = plainTaps(n, centre)
		}
	}
	return taps
}

// plainTaps are the four nearest inputs; those past the border repeat it.
func plainTaps(n int, centre float64) []tap {
	at := centre - 0.5
	first := int(math.Floor(at)) - 1
	taps := make([]tap, 4)
	for k := range taps {
		j := first + k
		taps[k] = tap{min(max(j, 0), n-1), cubic(at-float64(j), -0.75)}
	}
	return taps
}

// antialiasTaps are the inputs within the filter's support, which is stretched where the grid shrinks; those past the
// border are left out and the rest is normalised.
func antialiasTaps(n int, centre, stretch float64) []tap {
	support := 2 * stretch
	first, end := max(int(centre-support+0.5), 0), min(int(centre+support+0.5), n)
	var taps []tap
	total := 0.0
	for j := first; j < end; j++ {
		weight := cubic((float64(j)+0.5-centre)/stretch, -0.5)
		taps = append(taps, tap{j, weight})
		total += weight
	}
	for k := range taps {
		taps[k].weight /= total
	}
	return taps
}

// cubic is the cubic convolution kernel with parameter a (Keys, 1981), zero from a distance of 2 on.
func cubic(x, a float64) float64 {
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return ((a*x-5*a)*x+8*a)*x - 4*a
	}
	return 0
}
