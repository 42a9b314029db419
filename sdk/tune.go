package sdk

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// Tune trains an adapter for ds on bb's device and returns it with the record of the run; progress, which may be nil,
// is called as it goes. The result is published when the run has finished: cancelling ctx returns its error and
// leaves nothing behind. Predictions may go on meanwhile and take turns with the training steps.
func (bb *Backbone) Tune(ctx context.Context, ds *data.Dataset, c tune.Config, progress func(tune.Event)) (*adapter.Adapter, *tune.Report, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer leave()
	return tune.Run(ctx, bb.vit, ds, c, progress)
}
