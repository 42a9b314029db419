package sdk

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// network is a backbone as a device holds it: its weights, and the passes and adapters beside them.
type network struct {
	be    backend.Backend
	vit   *nn.ViT
	mixer *nn.Mixer // of whoever holds the backbone's turn
}

func (o options) newNetwork(be backend.Backend, b *model.Backbone) (*network, error) {
	acts, err := o.activationsOn(be, b)
	if err != nil {
		return nil, err
	}
	vit, err := nn.NewViT(be, b, acts)
	if err != nil {
		return nil, err
	}
	return &network{be, vit, nn.NewMixer(vit, o.budget, o.storageType())}, nil
}

func (n *network) close() error {
	err := n.mixer.Close()
	if e := n.vit.Close(); err == nil {
		err = e
	}
	return err
}

// withMixer calls f when it is its turn: one at a time uses the mixer of a backbone. Where the device is lost, f is called
// again on what replaces it: the device itself, more cautiously, and then the CPU.
func (bb *Backbone) withMixer(ctx context.Context, f func(m *nn.Mixer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case bb.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-bb.turn }()
	for {
		be := bb.seat.backend()
		n, err := bb.follow(be)
		if err == nil {
			err = f(n.mixer)
			stats := n.mixer.Stats()
			bb.stats.Store(&stats)
		}
		if err == nil || !bb.seat.lostUnder(be, err) {
			return err
		}
		if err := bb.seat.replace(be, safe, onCPU, err); err != nil {
			return err
		}
	}
}

// follow is the network on be, which bb's weights go to where they are not there yet: the device before it was lost.
// The caller holds bb's turn.
func (bb *Backbone) follow(be backend.Backend) (*network, error) {
	n := bb.net.Load()
	if n.be == be {
		return n, nil
	}
	fresh, err := bb.rt.opt.newNetwork(be, bb.host)
	if err != nil {
		return nil, err
	}
	_ = n.close() // nothing of it is left but bookkeeping
	bb.net.Store(fresh)
	return fresh, nil
}

// Device is the device that bb's passes run on now: after a loss, what has replaced the one that it was loaded to.
func (bb *Backbone) Device() Device { return bb.seat.backend().Info() }

// Warm makes ready what predictions with the adapters, or with none where there are none, need: kernels are compiled and
// tested, and one pass of an empty image is run for each, so that the first prediction takes no longer than later ones.
func (bb *Backbone) Warm(ctx context.Context, adapters ...*Adapter) error {
	if len(adapters) == 0 {
		adapters = []*Adapter{nil}
	}
	for _, a := range adapters {
		size := bb.Pipeline(a).Size
		if _, err := bb.Features(ctx, Tensor{Shape: []int{3, size, size}, Data: make([]float32, 3*size*size)}, a); err != nil {
			return err
		}
	}
	return nil
}
