package data

import "math"

// Interpolation names the filter that resizes.
type Interpolation string

// The filters, as Pillow defines them: both widen with the scale when a picture shrinks, which is their antialiasing.
const (
	Bicubic  Interpolation = "bicubic" // a = -0.5
	Bilinear Interpolation = "bilinear"
)

// weightBits is the fraction of a filter weight: 8 bits of a pixel, 2 of headroom for overshoot, and sign fit in 32.
const weightBits = 32 - 8 - 2

// kernel is one filter at scale 1: its half width and its value at distance x >= 0.
type kernel struct {
	support float64
	at      func(x float64) float64
}

func (i Interpolation) kernel() (kernel, bool) {
	switch i {
	case Bicubic:
		return kernel{2, bicubic}, true
	case Bilinear:
		return kernel{1, func(x float64) float64 { return max(1-x, 0) }}, true
	}
	return kernel{}, false
}

// bicubic is Keys' cubic with a = -0.5. The conversions keep compilers from fusing a product with a sum, so that every
// processor gets the same bits.
func bicubic(x float64) float64 {
	const a = -0.5
	switch {
	case x < 1:
		return float64(float64(float64((a+2)*x)-(a+3))*x*x) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

// taps are the weighted source pixels of consecutive output pixels along one axis.
type taps struct {
	first   []int32 // first source pixel, counted from the lowest that any output reads
	count   []int32
	weights []int32 // [outputs][width], weightBits of fraction, count used in each row
	width   int
}

func (t *taps) row(i int) (first int, weights []int32) {
	return int(t.first[i]), t.weights[i*t.width:][:t.count[i]]
}

// newTaps computes the outputs from..from+n of an axis that shrinks or grows from in to out pixels, and the range lo..hi
// of source pixels that they read. Where in equals out there is nothing to filter, and t is nil. Weights are made in
// float64, normalised, and rounded to the nearest.
func newTaps(k kernel, in, out, from, n int) (t *taps, lo, hi int) {
	if in == out {
		return nil, from, from + n
	}
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := float64(k.support * stretch)
	reach := func(i int) (center float64, lo, hi int) { // both ends grow with i
		center = float64((float64(from+i) + 0.5) * scale)
		return center, max(int(center-support+0.5), 0), min(int(center+support+0.5), in)
	}
	_, lo, _ = reach(0)
	_, _, hi = reach(n - 1)
	t = &taps{first: make([]int32, n), count: make([]int32, n), width: min(int(math.Ceil(support))*2+1, in)}
	t.weights = make([]int32, n*t.width)
	w := make([]float64, t.width)
	for i := range n {
		center, first, end := reach(i)
		var sum float64
		for x := range end - first {
			w[x] = k.at(math.Abs((float64(x+first) - center + 0.5) * (1 / stretch)))
			sum += w[x]
		}
		t.first[i], t.count[i] = int32(first-lo), int32(end-first)
		row := t.weights[i*t.width:]
		for x, v := range w[:end-first] {
			row[x] = int32(math.Round(v / sum * (1 << weightBits)))
		}
	}
	return t, lo, hi
}
