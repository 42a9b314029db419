package ref

import (
	"math"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
)

// The operators that PyTorch's golden numbers (package backendtest) do not reach, on numbers worked out by hand.

func wantValues(t *testing.T, name string, got []float64, want ...float64) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b float64) bool { return math.Abs(a-b) < 1e-12 }) {
		t.Errorf("%s: got %v, expected %v", name, got, want)
	}
}

// TestPatchEmbed: two channels of output pick one pixel each, so that the order channel, row, column shows.
func TestPatchEmbed(t *testing.T) {
	image := make([]float64, 3*2*4) // pixel value = 100 channel + 10 row + column
	for i := range image {
		image[i] = float64(100*(i/8) + 10*(i/4%2) + i%4)
	}
	w := make([]float64, 2*12)
	w[0*12+1*4+0*2+1] = 1 // channel 1, row 0, column 1
	w[1*12+2*4+1*2+0] = 1 // channel 2, row 1, column 0
	x := make([]float64, 3*2)
	PatchEmbed(x, image, w, []float64{0.5, 0.25}, []float64{-1, -2}, []float64{1000, 2000, 3000, 4000},
		Patches{Batch: 1, Height: 2, Width: 4, Size: 2, Prefix: 1, Dim: 2})
	wantValues(t, "tokens", x, -1, -2, 1101.5, 2210.25, 3103.5, 4212.25)
}

func TestPool(t *testing.T) {
	x := []float64{1, 10, 2, 20, 6, 60} // three tokens of two channels
	p := Pooling{CLS: true, Mean: true, Batch: 1, Tokens: 3, Prefix: 1, Dim: 2}
	y := make([]float64, 4)
	Pool(y, x, p)
	wantValues(t, "class token and mean", y, 1, 10, 4, 40)
	p.CLS = false
	Pool(y[:2], x, p)
	wantValues(t, "mean", y[:2], 4, 40)
	p.Prefix = 0
	Pool(y[:2], x, p)
	wantValues(t, "mean of all", y[:2], 3, 30)
}

// TestLinear: W is int8 with a scale for each row.
func TestLinear(t *testing.T) {
	w := quant.Matrix{Scheme: quant.Q8C, Rows: 2, Cols: 3, Int8: []int8{1, 2, 3, -4, 5, -6}, Scale: []float32{0.5, 2}}
	x, bias, residual := []float64{1, 10, 100}, []float64{0.25, 1000}, []float64{7, 8}
	y := make([]float64, 2)
	Linear(y, x, w, bias, 1, 2, 3)
	wantValues(t, "plain", y, 160.75, -108)
	LinearResidual(y, x, w, bias, residual, 1, 2, 3)
	wantValues(t, "residual", y, 167.75, -100)
	LinearResidualAdapter(y, x, w, bias, residual, AdapterUp[float64]{[]float64{1, 2}, []float64{1, 1, 3, 5}, []float64{10, 20}, 0.5, 2}, 1, 2, 3)
	wantValues(t, "adapter", y, 167.75+6.5, -100+16.5)
	dx := make([]float64, 3)
	LinearBackward(dx, []float64{2, 1}, w, []float64{1, 1, 0.5}, 1, 2, 3)
	wantValues(t, "input gradient", dx, 1-8, 2+10, (3-12)*0.5)
}

// TestWeightRounding: the product of int8 and scale is a float32, as in PyTorch, and not an exact one.
func TestWeightRounding(t *testing.T) {
	scale := float32(0.1)
	w := quant.Matrix{Scheme: quant.Q8C, Rows: 1, Cols: 1, Int8: []int8{119}, Scale: []float32{scale}}
	y := make([]float64, 1)
	Linear(y, []float64{1}, w, []float64{0}, 1, 1, 1)
	if rounded, exact := float64(119*scale), 119*float64(scale); y[0] != rounded || rounded == exact {
		t.Errorf("got %v, expected %v and not %v", y[0], rounded, exact)
	}
}

func TestAttentionProbs(t *testing.T) {
	h := Heads{Batch: 1, Tokens: 3, Count: 2, Dim: 2}
	qkv := random(1, 3*12)
	o, lse, p := make([]float64, 3*4), make([]float64, 6), make([]float64, 2*3*3)
	Attention(o, lse, qkv, h)
	AttentionProbs(p, qkv, lse, h)
	for i := range 6 {
		if s := sum(row(p, i, 3)); math.Abs(s-1) > 1e-12 {
			t.Errorf("row %d sums to %v", i, s)
		}
	}
	// Head 1, query 2: its probabilities times the values of head 1, channels 10 and 11 of a row.
	for c := range 2 {
		var s float64
		for u := range 3 {
			s += p[(1*3+2)*3+u] * qkv[u*12+10+c]
		}
		wantValues(t, "output", o[2*4+2+c:2*4+3+c], s)
	}
}

func TestAttentionLargeLogits(t *testing.T) {
	h := Heads{Batch: 1, Tokens: 2, Count: 1, Dim: 1}
	o, lse := make([]float64, 2), make([]float64, 2)
	Attention(o, lse, []float64{1000, 1000, 1, -1000, -1000, 2}, h)
	wantValues(t, "o", o, 1, 2)
	wantValues(t, "lse", lse, 1e6, 1e6)
}

func TestSGD(t *testing.T) {
	p, v := []float64{1}, []float64{0}
	SGD(p, v, []float64{2}, 0.1, 0.9, 0.5)
	wantValues(t, "velocity", v, 2.5)
	wantValues(t, "parameter", p, 0.75)
	SGD(p, v, []float64{0}, 0.1, 0.9, 0)
	wantValues(t, "velocity", v, 2.25)
	wantValues(t, "parameter", p, 0.525)
}

// TestAdamW: two steps from p = 1 with g = 2, then 4; betas 0.5 and 0.75, decay 0.1, rate 0.1, no eps to speak of.
func TestAdamW(t *testing.T) {
	p, m, v := []float64{1}, []float64{0}, []float64{0}
	AdamW(p, m, v, []float64{2}, []float64{0.1, 0.5, 0.25}, 0.5, 0.75, 1e-15, 0.1)
	wantValues(t, "p, m, v", []float64{p[0], m[0], v[0]}, 1-0.1*(1+0.1), 1, 1) // m/c1 = 2, sqrt(v/c2) = 2
	AdamW(p, m, v, []float64{4}, []float64{0.1, 0.75, 0.4375}, 0.5, 0.75, 1e-15, 0.1)
	wantValues(t, "p, m, v", []float64{p[0], m[0], v[0]}, 0.89-0.1*(2.5/0.75/math.Sqrt(4.75/0.4375)+0.089), 2.5, 4.75)
}

func TestClipNorm(t *testing.T) {
	x := []float64{3, -4}
	ClipNorm(x, 5)
	wantValues(t, "at the limit", x, 3, -4)
	ClipNorm(x, 1)
	wantValues(t, "above it", x, 0.6, -0.8)
	bad := []float64{math.NaN(), 2}
	if ClipNorm(bad, 1); bad[1] != 2 {
		t.Errorf("a norm that is no number scales to %v", bad)
	}
}

// TestLabelSmoothing: two classes at logits 0 and ln 3, the first is right, smoothing 0.2: y is 0.9 and 0.1.
func TestLabelSmoothing(t *testing.T) {
	loss, dz := make([]float64, 1), make([]float64, 2)
	if err := CrossEntropy(loss, dz, []float64{0, math.Log(3)}, []int32{0}, 2, 0.2, 1, 2); err != nil {
		t.Fatal(err)
	}
	wantValues(t, "loss", loss, 2*(math.Log(4)-0.1*math.Log(3)))
	wantValues(t, "dz", dz, 2*(0.25-0.9), 2*(0.75-0.1))
}

func TestBatchNormOfOne(t *testing.T) {
	y, rstd, mean, variance := make([]float64, 1), make([]float64, 1), []float64{0}, []float64{1}
	BatchNormTrain(y, rstd, mean, variance, []float64{5}, 0.25, 0.1, 1, 1)
	wantValues(t, "y, rstd, mean, variance", []float64{y[0], rstd[0], mean[0], variance[0]}, 0, 2, 0.5, 0.9)
}

func TestCrossEntropyRefusesTarget(t *testing.T) {
	one := make([]float64, 2)
	for _, target := range []int32{-1, 2} {
		if err := CrossEntropy(one[:1], make([]float64, 2), one, []int32{target}, 1, 0, 1, 2); err == nil {
			t.Errorf("target %d of two classes passes", target)
		}
	}
}

// TestGELU: the left tail keeps its relative accuracy, and the limits are exact.
func TestGELU(t *testing.T) {
	for _, c := range []struct{ x, y, slope float64 }{
		{0, 0, 0.5},
		{1, 0.841344746068543, 1.083315470587687},
		{-1, -0.158655253931457, -0.083315470587687},
		{100, 100, 1},
		{-100, 0, 0},
	} {
		wantValues(t, "gelu", []float64{GELU(c.x), GELUDerivative(c.x)}, c.y, c.slope)
	}
	const tail = -10 * 7.619853024160527e-24 // -10 Φ(-10)
	if e := math.Abs(GELU(-10)/tail - 1); e > 1e-12 {
		t.Errorf("GELU(-10) is %v, expected %v", GELU(-10), tail)
	}
}
