package sdk

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// Tune trains an adapter for ds on bb's device and returns it with the record of the run; progress, which may be nil,
// is called as it goes. The result is published when the run has finished: cancelling ctx returns *tune.Stopped and
// leaves nothing behind but the checkpoint that c.Checkpoint asks for, from which a later call goes on to the same bits.
// Predictions may go on meanwhile and take turns with the training steps.
func (bb *Backbone) Tune(ctx context.Context, ds *data.Dataset, c tune.Config, progress func(tune.Event)) (*adapter.Adapter, *tune.Report, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	v, err := bb.trained()
	if err != nil {
		return nil, nil, err
	}
	defer v.Close()
	return tune.Run(ctx, v, ds, c, progress)
}

// trained is the network as it is trained: with float activations unless the caller asked for others. It shares bb's
// memory; the caller closes it.
func (bb *Backbone) trained() (*nn.ViT, error) {
	acts := bb.vit.Activations()
	if bb.rt.opt.activations == "auto" {
		acts = nn.FloatActivations
	}
	return bb.vit.With(acts)
}
