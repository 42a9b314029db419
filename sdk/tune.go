package sdk

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
	"github.com/pkg/errors"
)

// Tune trains an adapter for ds on bb's device and returns it with the record of the run; progress, which may be nil,
// is called as it goes. The result is published when the run has finished: cancelling ctx returns *tune.Stopped and
// leaves nothing behind but the checkpoint that c.Checkpoint asks for, from which a later call goes on to the same bits.
// Predictions may go on meanwhile and take turns with the training steps. Where the device is lost, it is opened again and the
// run goes on from its last checkpoint, to the same bits; after a second loss, or without c.Checkpoint, Tune returns
// ErrDeviceLost.
func (bb *Backbone) Tune(ctx context.Context, ds *data.Dataset, c tune.Config, progress func(tune.Event)) (*adapter.Adapter, *tune.Report, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	for {
		v, err := bb.trained(ctx)
		if err != nil {
			return nil, nil, err
		}
		be := v.Backend()
		a, rep, err := tune.Run(ctx, v, ds, c, progress)
		v.Close()
		if err == nil || c.Checkpoint.Path == "" || !bb.seat.lostUnder(be, err) {
			return a, rep, err
		}
		// Going on with other kernels would give other bits, which the checkpoint refuses.
		if err := bb.seat.replace(be, careful, careful, err); err != nil {
			return nil, nil, errors.WithMessage(err, "the run can be resumed from its checkpoint")
		}
		c.Checkpoint.Resume = true
	}
}

// trained is the network as it is trained: with float activations unless the caller asked for others, stored as float32. It shares bb's
// memory; the caller closes it.
func (bb *Backbone) trained(ctx context.Context) (v *nn.ViT, err error) {
	err = bb.withMixer(ctx, func(*nn.Mixer) (err error) {
		vit := bb.net.Load().vit
		acts := vit.Activations() &^ nn.HalfStorage
		if name, _ := bb.rt.opt.storedAs(); name == "auto" {
			acts = nn.FloatActivations
		}
		v, err = vit.With(acts)
		return err
	})
	return v, err
}
