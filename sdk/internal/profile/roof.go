package profile

import (
	"context"
	"math"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/pkg/errors"
)

// What the calibration runs: a product large enough for every core, small enough for a submission of a small GPU, and a
// vector that no cache of one holds.
const (
	roofRows, roofDim = 256, 1024
	roofElems         = 8 << 20
	roofRuns          = 3
)

const how = "the best of a product of 256x1024 and 1024x1024 with this scheme, a vector of 8 Mi floats scaled, and the pass's own operators of 1% and more"

// Calibrate measures the best rates that the device's kernels reach: of multiply-adds with weights of the scheme, and with int8
// activations in blocks of so many columns unless that is 0; and of memory. Wrong results are an error, and no rates.
func (b *Backend) Calibrate(ctx context.Context, scheme quant.Scheme, block int) (Roof, error) {
	macs, err := b.product(ctx, scheme, block)
	if err != nil {
		return Roof{}, errors.WithMessage(err, "calibration, product")
	}
	bytes, err := b.stream(ctx)
	return Roof{GOPS: 2 * macs / 1e9, GBs: bytes / 1e9, How: how}, errors.WithMessage(err, "calibration, memory")
}

// product is the multiply-adds a second of x Wᵀ, with x = 1 so that every result is the sum of a row.
func (b *Backend) product(ctx context.Context, scheme quant.Scheme, block int) (rate float64, err error) {
	w := make([]float32, roofDim*roofDim)
	for i := range w {
		w[i] = float32((i*7919)%255-127) / 127
	}
	m, err := quant.QuantizeDefault(scheme, w, roofDim, roofDim)
	if err != nil {
		return 0, err
	}
	bias, err := b.NewBuffer("bias", roofDim)
	if err != nil {
		return 0, err
	}
	defer bias.Close()
	weight, err := b.NewWeight("weight", m)
	if err != nil {
		return 0, err
	}
	defer weight.Close()
	x := make([]float32, roofRows*roofDim)
	for i := range x {
		x[i] = 1
	}
	want, row := make([]float64, roofDim), make([]float32, roofDim)
	for j := range want {
		m.DequantizeRow(row, j)
		for _, v := range row {
			want[j] += float64(v)
		}
	}
	best, err := b.best(ctx, x, []int{roofRows, roofDim}, func(r *backend.Recorder, x backend.Value) backend.Value {
		return r.Linear(x, backend.Frozen{W: weight, Bias: bias, Block: block})
	}, func(i int) float64 { return want[i%roofDim] })
	return roofRows * roofDim * roofDim / best.Seconds(), err
}

// stream is the bytes a second of y = 2 x.
func (b *Backend) stream(ctx context.Context) (rate float64, err error) {
	x := make([]float32, roofElems)
	for i := range x {
		x[i] = float32(i % 1000)
	}
	best, err := b.best(ctx, x, []int{roofElems}, func(r *backend.Recorder, x backend.Value) backend.Value { return r.Scale(x, 2) },
		func(i int) float64 { return 2 * float64(x[i]) })
	return 2 * 4 * roofElems / best.Seconds(), err
}

// roofTolerance bounds the error of the product's sums of 1024 values up to 1, half of which cancel; a lost column changes
// one by 1 and a lost tile by 16 and more.
const roofTolerance = 0.05

// best is the shortest time of one operator, whose results are checked first.
func (b *Backend) best(ctx context.Context, x []float32, shape []int, record func(*backend.Recorder, backend.Value) backend.Value, want func(i int) float64) (time.Duration, error) {
	r := backend.NewRecorder()
	in := r.Input("x", shape...)
	out := r.Output(record(r, in), "y")
	p, err := r.Finish()
	if err != nil {
		return 0, err
	}
	e, err := b.timer.CompileTimed(p)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	if err := e.WriteFloats(in, x); err != nil {
		return 0, err
	}
	best := time.Duration(math.MaxInt64)
	for i := range roofRuns + 1 { // the first warms up
		if err := e.Run(ctx); err != nil {
			return 0, err
		}
		took := time.Duration(0)
		for _, s := range e.Spans() {
			if s.Op >= 0 {
				took += s.Took
			}
		}
		if i > 0 && took > 0 {
			best = min(best, took)
		}
	}
	y := make([]float32, p.Shape(out).Elems())
	if err := e.ReadFloats(out, y); err != nil {
		return 0, err
	}
	for i, v := range y {
		if !(math.Abs(float64(v)-want(i)) <= roofTolerance) {
			return 0, errors.Errorf("element %d is %g, expected %g", i, v, want(i))
		}
	}
	return best, nil
}
