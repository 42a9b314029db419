package calibrate

import (
	"context"
	"math"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// smooth quantises src to int8 after a change of numbers that leaves the function as it is. A token's activations share a scale,
// so that a channel of large values costs all others their bits. Each column that a norm writes for a layer is divided by a
// factor, in the norm's gain and bias, and the layer's weights of that column are multiplied by it. With the root of max|x| /
// max|w| as the factor (SmoothQuant, arXiv:2211.10438, alpha 0.5) both come to the root of max|x| max|w|.
func smooth(ctx context.Context, be backend.Backend, src *model.Source, images []tensor.Tensor, progress func(done, of int)) (*model.Backbone, error) {
	largest, err := columnRanges(ctx, be, src, images, progress)
	if err != nil {
		return nil, err
	}
	factors, c := map[string][]float32{}, src.Config()
	for i := range c.Depth {
		for _, layer := range smoothedLayers {
			w, err := src.Weight(i, layer)
			if err != nil {
				return nil, err
			}
			factors[c.LinearName(i, layer)] = smoothing(largest[nn.LayerInput(i, layer)], w)
		}
	}
	return model.QuantizeSmoothed(src, factors)
}

// smoothedLayers are those that read what a norm wrote.
var smoothedLayers = []string{model.LayerQKV, model.LayerFC1}

// columnRanges are the largest magnitudes of the columns of what those layers read, by its tap.
func columnRanges(ctx context.Context, be backend.Backend, src *model.Source, images []tensor.Tensor, progress func(done, of int)) (map[string][]float32, error) {
	b, v, err := network(be, src, quant.F32)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	shape, taps, largest := images[0].Shape, []string{}, map[string][]float32{}
	for i := range b.Config().Depth {
		for _, layer := range smoothedLayers {
			m, _ := b.Linear(i, layer)
			tap := nn.LayerInput(i, layer)
			taps, largest[tap] = append(taps, tap), make([]float32, m.Cols)
		}
	}
	f, err := v.NewForward(nn.ForwardConfig{Batch: 1, Height: shape[1], Width: shape[2], Taps: taps})
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for n, t := range images {
		if !t.Shape.Equal(shape) {
			return nil, errors.WithMessagef(tensor.ErrShape, "image %d is %v, the first is %v", n, t.Shape, shape)
		}
		err := f.Run(ctx, t.Data, func(f *nn.Forward) error {
			for tap, top := range largest {
				x := make([]float32, f.Shape(tap).Elems())
				if err := f.Read(tap, x); err != nil {
					return err
				}
				if err := widen(top, x); err != nil {
					return errors.WithMessage(err, tap)
				}
			}
			return nil
		})
		if err != nil {
			return nil, errors.WithMessagef(err, "image %d", n)
		}
		if progress != nil {
			progress(n+1, len(images))
		}
	}
	return largest, nil
}

// smoothing is sqrt(max|x_j| / max|w_j|) for each column j, 1 where either is zero.
func smoothing(x []float32, w tensor.Tensor) []float32 {
	k := len(x)
	top, m := make([]float32, k), make([]float32, k)
	for i, v := range w.Data {
		top[i%k] = max(top[i%k], v, -v)
	}
	for j := range m {
		if m[j] = 1; x[j] > 0 && top[j] > 0 {
			m[j] = float32(math.Sqrt(float64(x[j]) / float64(top[j])))
		}
	}
	return m
}

// widen is top = max(top, |x|) by column.
func widen(top, x []float32) error {
	for i, v := range x {
		if d := v - v; d != 0 {
			return errors.WithMessagef(quant.ErrInputs, "element %d is %v", i, v)
		}
		top[i%len(top)] = max(top[i%len(top)], v, -v)
	}
	return nil
}
