package sdk

import (
	"context"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/pkg/errors"
)

// TunedKernel is a kernel's variant that takes another's place.
type TunedKernel = backend.TunedKernel

// TuneKernels times variants of the kernels of a pass of one image on bb's Vulkan device, for about the budget, and returns what
// is at least 5% faster with the same results within rounding. Runtimes opened later with the same WithCacheDir use it, until the
// driver or the kernels change or kernels-UUID.json is removed; this one goes on as it was. Checkpoints of Tune know whether
// they were made with the same kernels. It returns ErrOption where there is no cache folder and ErrNoDevice on the CPU.
func (bb *Backbone) TuneKernels(ctx context.Context, budget time.Duration) (found []TunedKernel, err error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if bb.rt.opt.cacheDir == "" {
		return nil, errors.WithMessage(ErrOption, "kernels are tuned for a cache folder, and there is none")
	}
	err = bb.withMixer(ctx, func(*nn.Mixer) error {
		be := bb.net.Load().be
		tuner, ok := be.(backend.KernelTuner)
		if !ok {
			return errors.WithMessagef(ErrNoDevice, "%s has no variants of kernels", be.Info().ID)
		}
		c := &capture{Backend: be}
		n, err := bb.rt.opt.newNetwork(c, bb.host)
		if err != nil {
			return err
		}
		defer n.close()
		size := bb.host.Config().Preprocess.Crop
		mc := nn.MixConfig{Height: size, Width: size, Pool: bb.host.Config().Pool, Taps: []string{nn.TapFeatures}}
		err = n.mixer.Run(ctx, mc, noise(3*size*size), []*nn.Resident{nil}, func(*nn.Forward, int, int) error { return nil })
		if err != nil {
			return err
		}
		found, err = tuner.TuneKernels(ctx, c.program, budget)
		return err
	})
	return found, err
}

// capture keeps the last Program that was compiled.
type capture struct {
	backend.Backend
	program *backend.Program
}

func (c *capture) Compile(p *backend.Program) (backend.Executable, error) {
	c.program = p
	return c.Backend.Compile(p)
}
