package sdk

import (
	"context"

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
// adapter: "cls" by default. All images share one pass, so memory grows with B.
func (bb *Backbone) Intermediates(ctx context.Context, images Tensor, a *Adapter, pool adapter.Pool, names ...string) (map[string]Tensor, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	leaveAdapter, err := a.enter(bb)
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
	}
	c := nn.ForwardConfig{Batch: s[0], Height: s[2], Width: s[3], Pool: pool, Taps: names}
	if a != nil {
		c.Task = a.task
	}
	out := map[string]Tensor{}
	err = bb.passes.use(bb.vit, c, func(f *nn.Forward) error {
		return f.Run(ctx, images.Data, func(f *nn.Forward) (err error) {
			for _, name := range names {
				if out[name], err = readTap(f, name); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
