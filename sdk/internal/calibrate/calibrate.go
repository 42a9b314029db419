// Package calibrate quantises a checkpoint with pictures.
//
// int4: block after block and layer after layer it records what the layer sees above the layers that are quantised already,
// and what it would see above float ones, and package quant finds the integers whose outputs come closest. int8: columns of
// activations and of weights share their ranges, so that both round well; see smooth.go.
package calibrate

import (
	"context"
	"fmt"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// blockLayers are those of every block, in the order in which they run.
var blockLayers = []string{model.LayerQKV, model.LayerProj, model.LayerFC1, model.LayerFC2}

// Run quantises src to a scheme of integers with normalised images [3, H, W] of one size. progress, which may be nil, is told
// how many layers of how many are done, or for int8 images. The result is the same for any number of threads of the same device.
//
// Memory for int4: the tokens of all images twice, one block's weights as float32, and 32 bytes for each pair of a layer's
// inputs, 75 MB for a ViT-S. For int8: the float weights, and what two layers of each block read of one image.
func Run(ctx context.Context, be backend.Backend, src *model.Source, scheme quant.Scheme, images []tensor.Tensor, threads int, progress func(done, of int)) (*model.Backbone, error) {
	if !scheme.Integers() {
		return nil, errors.WithMessagef(quant.ErrScheme, "calibration of scheme %q, expected one of integers", scheme)
	}
	if len(images) == 0 {
		return nil, errors.WithMessage(quant.ErrInputs, "no images")
	}
	if scheme.Group() == 0 {
		return smooth(ctx, be, src, images, progress)
	}
	host, v, err := network(be, src, scheme)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	w := &walk{be: be, src: src, host: host, scheme: scheme, threads: threads, matrices: map[string]quant.Matrix{}, progress: progress}
	if w.low, err = v.Edit(); err != nil {
		return nil, err
	}
	defer w.low.Close()
	if w.full, err = v.Edit(); err != nil {
		return nil, err
	}
	defer w.full.Close()
	if err := w.embed(ctx, images); err != nil {
		return nil, err
	}
	for i := range host.Config().Depth {
		if err := w.block(ctx, i); err != nil {
			return nil, errors.WithMessagef(err, "block %d", i+1)
		}
	}
	return host.Exchange(w.matrices)
}

// network is src in a scheme, and on a device with float activations.
func network(be backend.Backend, src *model.Source, scheme quant.Scheme) (*model.Backbone, *nn.ViT, error) {
	b, err := model.Quantize(src, scheme)
	if err != nil {
		return nil, nil, err
	}
	v, err := nn.NewViT(be, b, nn.FloatActivations)
	return b, v, err
}

// walk is a calibration under way. Two streams of tokens climb the network side by side, one through quantised layers and
// one through float ones.
type walk struct {
	be            backend.Backend
	src           *model.Source
	host          *model.Backbone // everything but the calibrated integers
	scheme        quant.Scheme
	threads       int
	low, full     *nn.Edit
	height, width int
	tokens        []streams // by image, at the entry of the block that is next
	matrices      map[string]quant.Matrix
	progress      func(done, of int)
}

type streams struct{ low, full []float32 }

// embed fills tokens with what enters the first block.
func (w *walk) embed(ctx context.Context, images []tensor.Tensor) error {
	shape := images[0].Shape
	w.height, w.width, w.tokens = shape[1], shape[2], make([]streams, len(images))
	f, err := w.pass(w.low, nn.Images, nn.TapEmbedding)
	if err != nil {
		return err
	}
	defer f.Close()
	for i, t := range images {
		if !t.Shape.Equal(shape) {
			return errors.WithMessagef(tensor.ErrShape, "image %d is %v, the first is %v", i, t.Shape, shape)
		}
		x, err := read(ctx, f, nn.TapEmbedding, t.Data)
		if err != nil {
			return err
		}
		w.tokens[i] = streams{x, x}
	}
	return nil
}

// block calibrates block i, and leaves in tokens what enters it.
func (w *walk) block(ctx context.Context, i int) error {
	if i > 0 {
		if _, ok := w.host.Config().Merges(i); ok {
			if err := w.widen(i, model.LayerReduction); err != nil {
				return err
			}
			if err := w.layer(ctx, i, model.LayerReduction, i-1); err != nil {
				return err
			}
		}
		if err := w.climb(ctx, i); err != nil {
			return err
		}
	}
	for _, layer := range blockLayers {
		if err := w.widen(i, layer); err != nil {
			return err
		}
	}
	for _, layer := range blockLayers {
		if err := w.layer(ctx, i, layer, i); err != nil {
			return err
		}
	}
	return nil
}

// climb takes the tokens from the entry of block i-1 to that of block i, and block i-1 off the device.
func (w *walk) climb(ctx context.Context, i int) error {
	tap := nn.BlockInput(i)
	low, full, err := w.both(nn.AtBlock(i-1), tap)
	if err != nil {
		return err
	}
	defer low.Close()
	defer full.Close()
	for n, t := range w.tokens {
		if t.low, err = read(ctx, low, tap, t.low); err != nil {
			return err
		}
		if t.full, err = read(ctx, full, tap, t.full); err != nil {
			return err
		}
		w.tokens[n] = t
	}
	w.low.Reset(i - 1)
	w.full.Reset(i - 1)
	return nil
}

// floats is a layer as the checkpoint has it, layer scale in its rows' scales.
func (w *walk) floats(i int, layer string) (quant.Matrix, error) {
	t, err := w.src.Weight(i, layer)
	if err != nil {
		return quant.Matrix{}, err
	}
	m := quant.Matrix{Scheme: quant.F32, Rows: t.Shape[0], Cols: t.Shape[1], Float: t.Data}
	if layer != model.LayerReduction {
		folded, _ := w.host.Linear(i, layer)
		m.Scale = folded.Scale
	}
	return m, nil
}

// widen gives both networks a layer's float weights.
func (w *walk) widen(i int, layer string) error {
	m, err := w.floats(i, layer)
	if err != nil {
		return err
	}
	if err := w.low.Set(i, layer, m); err != nil {
		return err
	}
	return w.full.Set(i, layer, m)
}

// layer calibrates one layer of block i with passes that enter at a block.
func (w *walk) layer(ctx context.Context, i int, layer string, at int) error {
	m, err := w.floats(i, layer)
	if err != nil {
		return err
	}
	in, err := w.inputs(ctx, nn.AtBlock(at), nn.LayerInput(i, layer), m.Cols)
	if err != nil {
		return err
	}
	q, err := quant.Calibrate(ctx, w.scheme, m.Float, m.Rows, m.Cols, in, w.threads)
	if err != nil {
		return errors.WithMessage(err, layer)
	}
	w.matrices[w.host.Config().LinearName(i, layer)+".weight"] = q
	if w.progress != nil {
		w.progress(len(w.matrices), w.layers())
	}
	// The device runs this layer for this block only: as float32 it is faster, to the same values.
	q.Dequantize(m.Float)
	return w.low.Set(i, layer, m)
}

// layers is how many there are.
func (w *walk) layers() int {
	c := w.host.Config()
	n := len(blockLayers) * c.Depth
	for i := 1; i < c.Depth; i++ {
		if _, ok := c.Merges(i); ok {
			n++
		}
	}
	return n
}

// pass is a pass of one image that ends at a tap.
func (w *walk) pass(e *nn.Edit, from nn.Entry, tap string) (*nn.Forward, error) {
	return e.NewForward(nn.ForwardConfig{Batch: 1, Height: w.height, Width: w.width, From: from, Taps: []string{tap}})
}

// both are the passes of the two networks.
func (w *walk) both(from nn.Entry, tap string) (low, full *nn.Forward, err error) {
	if low, err = w.pass(w.low, from, tap); err != nil {
		return nil, nil, err
	}
	if full, err = w.pass(w.full, from, tap); err != nil {
		low.Close()
	}
	return low, full, err
}

// read is a tap's values for one image.
func read(ctx context.Context, f *nn.Forward, tap string, in []float32) ([]float32, error) {
	out := make([]float32, f.Shape(tap).Elems())
	return out, f.Run(ctx, in, func(f *nn.Forward) error { return f.Read(tap, out) })
}

// inputs sums up what a layer with k columns reads.
func (w *walk) inputs(ctx context.Context, from nn.Entry, tap string, k int) (in quant.Inputs, err error) {
	low, full, err := w.both(from, tap)
	if err != nil {
		return in, err
	}
	defer low.Close()
	defer full.Close()
	rows := low.Shape(tap).Elems() / k
	g, err := newGram(w.be, rows, k)
	if err != nil {
		return in, err
	}
	defer g.close()
	in = quant.Inputs{Gram: make([]float64, k*k), Cross: make([]float32, k*k)}
	for n, t := range w.tokens {
		x, err := read(ctx, low, tap, t.low)
		if err != nil {
			return in, err
		}
		d, err := read(ctx, full, tap, t.full)
		if err != nil {
			return in, err
		}
		for j, v := range x {
			d[j] -= v
		}
		if err := g.run(ctx, x, x, func(j int, v float32) { in.Gram[j] += float64(v) }); err != nil {
			return in, fmt.Errorf("image %d: %w", n, err)
		}
		if err := g.run(ctx, d, x, func(j int, v float32) { in.Cross[j] += v }); err != nil {
			return in, fmt.Errorf("image %d: %w", n, err)
		}
		in.Samples += rows
	}
	return in, nil
}
