package sdk

import (
	"context"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// Features returns the pooled features [F] of an image, with an adapter's branches where one is given. img is what
// Predict takes.
func (bb *Backbone) Features(ctx context.Context, img any, a *Adapter) ([]float32, error) {
	r, err := bb.Predict(ctx, img, a)
	return r.Features, err
}

// Intermediates returns named intermediates of a forward pass over normalised images [B, 3, H, W], sides multiples of
// the patch. Names count blocks from 0: "embedding", "block.N.output", "probs.N", "tokens", "features", "logits" (of the
// adapter), "logits_original" (of the checkpoint's own head). pool says how features are made where there is no
// adapter: "cls" by default.
func (bb *Backbone) Intermediates(ctx context.Context, images Tensor, a *Adapter, pool adapter.Pool, names ...string) (map[string]Tensor, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	v, leaveAdapter, err := a.enter(bb)
	if err != nil {
		return nil, err
	}
	defer leaveAdapter()
	s := images.Shape
	if len(s) != 4 || s[1] != 3 || s.Elems() != len(images.Data) {
		return nil, errors.WithMessagef(ErrShape, "input %v with %d elements, expected [batch, 3, height, width]", s, len(images.Data))
	}
	for _, name := range names {
		if err := nn.ParseTap(name, bb.host.Config().Depth); err != nil {
			return nil, err
		}
	}
	if pool == "" {
		pool = adapter.PoolCLS
		if bb.host.Config().Swin() {
			pool = adapter.PoolNormMean
		}
	}
	task := v.resident()
	c := nn.MixConfig{Height: s[2], Width: s[3], Pool: pool, Taps: names}
	out := map[string]Tensor{}
	tasks := slices.Repeat([]*nn.Resident{task}, s[0])
	err = bb.withMixer(ctx, func(m *nn.Mixer) error {
		clear(out) // of an attempt on a device that was lost
		return m.Run(ctx, c, images.Data, tasks, func(f *nn.Forward, _, n int) error {
			for _, name := range names {
				t, err := readTap(f, name)
				if err != nil {
					return err
				}
				out[name] = appendImages(out[name], t, n, columns(name, task))
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// columns is how many columns of a tap belong to t, 0 for all: a pass for many tasks has room for the widest.
func columns(tap string, t *nn.Resident) int {
	switch {
	case t != nil && tap == nn.TapFeatures:
		return t.Features()
	case t != nil && tap == nn.TapLogits:
		return t.Classes()
	}
	return 0
}

// appendImages adds the first n images of a pass, and of each row the first columns.
func appendImages(all, t Tensor, n, columns int) Tensor {
	shape := slices.Clone(t.Shape)
	if columns > 0 {
		shape[len(shape)-1] = columns
	}
	shape[0] = n
	if all.Shape != nil {
		shape[0] += all.Shape[0]
	}
	for i := range n {
		x := row(t, i)
		if columns > 0 {
			x = x[:columns]
		}
		all.Data = append(all.Data, x...)
	}
	return Tensor{Shape: shape, Data: all.Data}
}
