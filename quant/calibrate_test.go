package quant

import (
	"context"
	"errors"
	"math"
	"reflect"
	"testing"
)

// correlated makes n inputs of k channels that depend on one another, some of them large.
func correlated(seed uint64, n, k int) []float32 {
	z, mix, x := gaussian(seed, n*8), gaussian(seed+1, 8*k), gaussian(seed+2, n*k)
	for i := range n {
		for j := range k {
			v := 0.3 * x[i*k+j]
			for l := range 8 {
				v += z[i*8+l] * mix[l*k+j]
			}
			if j%17 == 0 {
				v *= 6
			}
			x[i*k+j] = v
		}
	}
	return x
}

// inputs sums up x, and f unless that is nil.
func inputs(x, f []float32, k int) Inputs {
	in := Inputs{Samples: len(x) / k, Gram: make([]float64, k*k)}
	if f != nil {
		in.Cross = make([]float32, k*k)
	}
	for n := 0; n < len(x); n += k {
		for i := range k {
			for j := range k {
				in.Gram[i*k+j] += float64(x[n+i]) * float64(x[n+j])
				if f != nil {
					in.Cross[i*k+j] += (f[n+i] - x[n+i]) * x[n+j]
				}
			}
		}
	}
	return in
}

// outputError is Σ |x Qᵀ - f Wᵀ|².
func outputError(m Matrix, w, x, f []float32) (sum float64) {
	q, k := make([]float32, len(w)), m.Cols
	m.Dequantize(q)
	for n := 0; n < len(x); n += k {
		for r := range m.Rows {
			d := dot(x[n:n+k], q[r*k:(r+1)*k]) - dot(f[n:n+k], w[r*k:(r+1)*k])
			sum += float64(d) * float64(d)
		}
	}
	return sum
}

func calibrate(t *testing.T, s Scheme, w []float32, rows, cols int, in Inputs) Matrix {
	t.Helper()
	m, err := Calibrate(context.Background(), s, w, rows, cols, in, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Check(); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCalibrate: on inputs that it has not seen, a calibrated layer has at most a third of the rounded one's error; and
// where its inputs are spoiled by layers below, at most two thirds of what it would have without knowing the true ones.
func TestCalibrate(t *testing.T) {
	const rows, cols, n = 13, 160, 700
	w := gaussian(1, rows*cols)
	f := correlated(2, 2*n, cols)
	x := correlated(2, 2*n, cols)
	for i, v := range gaussian(9, len(x)) { // what the layers below do: noise, and a part that follows the inputs
		x[i] = 0.95*x[i] + 0.05*v
	}
	half := n * cols
	for _, s := range int4Schemes {
		plain, err := Quantize(s, w, rows, cols)
		if err != nil {
			t.Fatal(err)
		}
		m := calibrate(t, s, w, rows, cols, inputs(f[:half], nil, cols))
		got, was := outputError(m, w, f[half:], f[half:]), outputError(plain, w, f[half:], f[half:])
		if got > was/3 {
			t.Errorf("%s: error %.4g, rounded %.4g", s, got, was)
		}
		blind := outputError(calibrate(t, s, w, rows, cols, inputs(x[:half], nil, cols)), w, x[half:], f[half:])
		got = outputError(calibrate(t, s, w, rows, cols, inputs(x[:half], f[:half], cols)), w, x[half:], f[half:])
		if got > blind*2/3 {
			t.Errorf("%s: error %.4g with the true inputs, %.4g without", s, got, blind)
		}
	}
}

// TestCalibrateRefines: a coordinate more or less at any place is no better on the inputs that were used, so the descent
// ended where it should.
func TestCalibrateRefines(t *testing.T) {
	const cols = 40
	w, x := gaussian(1, cols), correlated(5, 300, cols)
	in := inputs(x, nil, cols)
	m := calibrate(t, Q4G32, w, 1, cols, in)
	var mean float64
	for j := range cols {
		mean += in.Gram[j*cols+j] / cols
	}
	loss := func(q []int8) float64 { // with the damping that Calibrate adds
		e := make([]float64, cols)
		sum := 0.0
		for j := range e {
			e[j] = float64(w[j]) - float64(q[j])*float64(FromF16(m.GroupScale[j/32]))
			sum += damping * mean * e[j] * e[j]
		}
		for i := range e {
			sum += e[i] * dot(in.Gram[i*cols:(i+1)*cols], e)
		}
		return sum
	}
	q := make([]int8, cols)
	m.Int4Row(q, 0)
	best := loss(q)
	for j := range q {
		for _, d := range []int8{-1, 1} {
			if v := q[j] + d; v < MinInt4 || v > MaxInt4 {
				continue
			}
			q[j] += d
			if l := loss(q); l < best*(1-1e-3) {
				t.Errorf("column %d: %+d has error %.6g, %.6g was chosen", j, d, l, best)
			}
			q[j] -= d
		}
	}
}

// TestCalibrateThreads: the threads have no say in the result.
func TestCalibrateThreads(t *testing.T) {
	const rows, cols = 37, 70
	w, in := gaussian(1, rows*cols), inputs(correlated(3, 90, cols), nil, cols)
	var first Matrix
	for _, threads := range []int{1, 5} {
		m, err := Calibrate(context.Background(), Q4G, w, rows, cols, in, threads)
		if err != nil {
			t.Fatal(err)
		}
		if threads > 1 && !reflect.DeepEqual(m, first) {
			t.Errorf("%d threads give another matrix", threads)
		}
		first = m
	}
}

// TestCalibrateFewInputs: fewer samples than columns, one sample, equal or dead columns and zeros are no obstacle, and
// the error on what was seen is no larger than the rounded one's.
func TestCalibrateFewInputs(t *testing.T) {
	const rows, cols = 5, 66
	w := gaussian(1, rows*cols)
	plain, err := Quantize(Q4G, w, rows, cols)
	if err != nil {
		t.Fatal(err)
	}
	equal := correlated(3, 50, cols)
	for i := range equal {
		equal[i] = equal[i/cols*cols]
	}
	dead := correlated(3, 50, cols)
	for i := range dead {
		if i%cols%3 > 0 {
			dead[i] = 0
		}
	}
	for name, x := range map[string][]float32{"one": correlated(3, 1, cols), "few": correlated(3, 9, cols), "equal": equal, "dead": dead,
		"zero": make([]float32, 20*cols), "tiny": {cols - 1: 1e-20}, "large": {cols - 1: 1e18}} {
		m := calibrate(t, Q4G, w, rows, cols, inputs(x, nil, cols))
		if got, was := outputError(m, w, x, x), outputError(plain, w, x, x); got > was*1.001 {
			t.Errorf("%s: error %.4g, rounded %.4g", name, got, was)
		}
	}
}

func TestCalibrateRefuses(t *testing.T) {
	const cols = 3
	good := func() Inputs { return inputs([]float32{1, 2, 3, 4, 5, 7}, nil, cols) }
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		scheme Scheme
		spoil  func(in *Inputs)
		is     error
	}{
		{"no samples", context.Background(), Q4G, func(in *Inputs) { in.Samples = 0 }, ErrInputs},
		{"size", context.Background(), Q4G, func(in *Inputs) { in.Gram = in.Gram[1:] }, ErrInputs},
		{"cross size", context.Background(), Q4G, func(in *Inputs) { in.Cross = make([]float32, 8) }, ErrInputs},
		{"nan", context.Background(), Q4G, func(in *Inputs) { in.Gram[4] = math.NaN() }, ErrInputs},
		{"nan beside", context.Background(), Q4G, func(in *Inputs) { in.Gram[1], in.Gram[3] = math.NaN(), math.NaN() }, ErrInputs},
		{"infinite cross", context.Background(), Q4G, func(in *Inputs) { in.Cross = make([]float32, 9); in.Cross[2] = float32(math.Inf(-1)) }, ErrInputs},
		{"infinite", context.Background(), Q4G, func(in *Inputs) { in.Gram[0] = math.Inf(1) }, ErrInputs},
		{"negative", context.Background(), Q4G, func(in *Inputs) { in.Gram[0] = -100 }, ErrInputs},
		{"scheme", context.Background(), Q8C, func(*Inputs) {}, ErrScheme},
		{"cancelled", cancelled, Q4G, func(*Inputs) {}, context.Canceled},
	} {
		in := good()
		c.spoil(&in)
		if _, err := Calibrate(c.ctx, c.scheme, []float32{1, 2, 3, -1, -2, -3}, 2, cols, in, 1); !errors.Is(err, c.is) {
			t.Errorf("%s: %v, expected %v", c.name, err, c.is)
		}
	}
	for _, v := range []float32{float32(math.NaN()), 1e6} {
		if _, err := Calibrate(context.Background(), Q4G, []float32{1, v, 0}, 1, cols, good(), 1); !errors.Is(err, ErrValue) {
			t.Errorf("weight %v: %v", v, err)
		}
	}
}

func TestProduct(t *testing.T) {
	for _, n := range []int{1, 3, 4, 5, 37} {
		for _, rows := range []int{1, 3, 4, 7, 16} {
			x, a, got := gaussian(1, rows), gaussian(2, rows*n), gaussian(3, n)
			product(got, x, a)
			for j, v := range got {
				var want, size float64
				for i := range rows {
					p := float64(x[i]) * float64(a[i*n+j])
					want, size = want+p, size+math.Abs(p)
				}
				if math.Abs(float64(v)-want) > 1e-6*size { // sixteen roundings of 2^-24
					t.Errorf("[%d] [%d, %d]: element %d is %v, expected %v", rows, rows, n, j, v, want)
				}
			}
		}
	}
}

// TestCholesky: R Rᵀ is the matrix again, and solve solves.
func TestCholesky(t *testing.T) {
	for _, k := range []int{1, 2, 7, 37} {
		in := inputs(correlated(uint64(k), 3*k, k), nil, k)
		r := append([]float64(nil), in.Gram...)
		if err := cholesky(r, k); err != nil {
			t.Fatal(err)
		}
		b := make([]float64, k)
		for i := range k {
			for j := range k {
				var sum float64
				for l := max(i, j); l < k; l++ {
					sum += r[i*k+l] * r[j*k+l]
				}
				if math.Abs(sum-in.Gram[i*k+j]) > 1e-9*math.Abs(in.Gram[0]) {
					t.Fatalf("%d: [%d, %d] is %v, expected %v", k, i, j, sum, in.Gram[i*k+j])
				}
				b[i] += in.Gram[i*k+j] * float64(j+1)
			}
		}
		solve(r, b, k)
		for j, v := range b {
			if math.Abs(v-float64(j+1)) > 1e-6*float64(k) {
				t.Errorf("%d: x[%d] is %v", k, j, v)
			}
		}
	}
	if err := cholesky([]float64{1, 2, 2, 1}, 2); !errors.Is(err, ErrInputs) {
		t.Errorf("indefinite: %v", err)
	}
}
