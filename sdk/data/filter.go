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

// span is what a filter of one axis depends on: the axis shrinks or grows from in to out pixels, of which n from from on
// are made.
type span struct {
	in, out, from, n int
	filter           Interpolation
}

// taps are the weighted source pixels of consecutive output pixels along one axis.
type taps struct {
	span    span
	lo, hi  int     // source pixels that any output reads
	first   []int32 // first source pixel of each output, counted from lo
	count   []int32
	weights []int32 // [outputs][width], weightBits of fraction, count used in each row
	width   int
}

func (t *taps) row(i int) (first int, weights []int32) {
	return int(t.first[i]), t.weights[i*t.width:][:t.count[i]]
}

// set computes the filter of s with kernel k, unless t is it already.
func (t *taps) set(k kernel, s span) {
	if t.span == s {
		return
	}
	t.first, t.count, t.span = resize(t.first, s.n), resize(t.count, s.n), s
	if s.in == s.out {
		t.copying()
		return
	}
	scale := float64(s.in) / float64(s.out)
	stretch := max(scale, 1)
	support := float64(k.support * stretch)
	t.width = min(int(math.Ceil(support))*2+1, s.in)
	t.weights = resize(t.weights, s.n*t.width)
	w := make([]float64, t.width)
	for i := range s.n {
		center := float64((float64(s.from+i) + 0.5) * scale)
		lo, hi := max(int(center-support+0.5), 0), min(int(center+support+0.5), s.in) // both grow with i
		if i == 0 {
			t.lo = lo
		}
		t.hi = hi
		t.first[i], t.count[i] = int32(lo-t.lo), int32(hi-lo)
		t.weigh(i, w[:hi-lo], func(x int) float64 {
			return k.at(math.Abs((float64(x+lo) - center + 0.5) * (1 / stretch)))
		})
	}
}

// weigh makes the weights of output i: in float64, normalised, and rounded to the nearest.
func (t *taps) weigh(i int, w []float64, at func(x int) float64) {
	var sum float64
	for x := range w {
		w[x] = at(x)
		sum += w[x]
	}
	row := t.weights[i*t.width:]
	for x, v := range w {
		row[x] = int32(math.Round(v / sum * (1 << weightBits)))
	}
}

// copying is the filter of an axis that keeps its size.
func (t *taps) copying() {
	t.lo, t.hi, t.width = t.span.from, t.span.from+t.span.n, 1
	t.weights = resize(t.weights, t.span.n)
	for i := range t.weights {
		t.first[i], t.count[i], t.weights[i] = int32(i), 1, 1<<weightBits
	}
}
