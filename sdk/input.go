package sdk

import (
	"bytes"
	"context"
	"image"
	"io"

	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/pkg/errors"
)

// Tensor is a row-major float32 tensor: Shape, and Data with as many elements.
type Tensor = tensor.Tensor

// Pipeline is how pictures become input for a, or for the plain backbone where a is nil: for callers that decode many
// files ahead with data.Load and hand in tensors.
func (bb *Backbone) Pipeline(a *Adapter) data.Pipeline {
	if a != nil {
		return bb.pipeline(context.Background(), a.now.Load())
	}
	return bb.pipeline(context.Background(), nil)
}

// pipeline is how pictures become input for v, which may be nil; its plug-in, if any, ends with ctx.
func (bb *Backbone) pipeline(ctx context.Context, v *version) data.Pipeline {
	if v != nil {
		p := tune.Pipeline(v.config(), bb.host.Config())
		p.Before = v.step(ctx)
		return p
	}
	return plainPipeline(bb.host.Config())
}

// plainPipeline is how pictures become the input of a backbone without an adapter.
func plainPipeline(c model.Config) data.Pipeline {
	p := c.Preprocess
	return data.Pipeline{Fit: data.Crop, Size: p.Crop, Resize: p.Resize, Interpolation: data.Interpolation(p.Interpolation), Mean: p.Mean, Std: p.Std}
}

// prepare turns what a caller hands in into a normalised tensor [3, H, W].
func (bb *Backbone) prepare(in any, pipe data.Pipeline) (Tensor, error) {
	var rgb *data.RGB
	var err error
	switch x := in.(type) {
	case Tensor:
		return oneImage(x)
	case *Tensor:
		return oneImage(*x)
	case *data.RGB:
		rgb = x
	case image.Image:
		rgb, err = data.FromImage(x)
	case []byte:
		rgb, err = pipe.Decoder().Decode(bytes.NewReader(x))
	case io.Reader:
		rgb, err = pipe.Decoder().Decode(x)
	default:
		return Tensor{}, errors.WithMessagef(ErrInput, "%T, expected an image.Image, an io.Reader or []byte with a picture file, *data.RGB or a Tensor", in)
	}
	if err != nil {
		return Tensor{}, err
	}
	return pipe.Apply(rgb)
}

// oneImage accepts [3, H, W] and [1, 3, H, W].
func oneImage(t Tensor) (Tensor, error) {
	s := t.Shape
	if len(s) == 4 && s[0] == 1 {
		s = s[1:]
	}
	if len(s) != 3 || s[0] != 3 || s.Elems() != len(t.Data) {
		return Tensor{}, errors.WithMessagef(ErrShape, "input tensor %v with %d elements, expected [3, height, width]", t.Shape, len(t.Data))
	}
	return Tensor{Shape: s, Data: t.Data}, nil
}
