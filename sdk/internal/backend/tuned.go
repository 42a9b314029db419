package backend

import (
	"context"
	"time"
)

// KernelTuner is a Backend whose kernels come in variants that can be timed.
type KernelTuner interface {
	// TuneKernels times p with other variants of its kernels, for about the budget, and keeps what is faster and equal within
	// rounding for devices opened later with the same cache folder.
	TuneKernels(ctx context.Context, p *Program, budget time.Duration) ([]TunedKernel, error)
}

// TunedKernel is a variant that takes another's place.
type TunedKernel struct {
	Kernel, From, To string
	Gain             float64 // share of the pass's time that it saves
}
