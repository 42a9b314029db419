package sdk

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
)

// KernelCheck is how a variant of a kernel did in a device's self-test.
type KernelCheck = backend.KernelCheck

// CheckDevice tests every kernel variant that a Vulkan device can run, by canned cases, twenty times each, against the float64
// reference. It takes seconds, on a software driver minutes. A Runtime does the same for the kernels that its models use, at
// their first use with a driver, and replaces those that fail; what CheckDevice finds is kept for it where opts name a cache
// folder. With compileOnly every pipeline is made and nothing is run. It returns ErrFaulty, beside the checks, where a kernel is
// left without a variant that works: such a device cannot be used.
func CheckDevice(ctx context.Context, id string, compileOnly bool, opts ...Option) ([]KernelCheck, error) {
	o := initial()
	for _, set := range opts {
		set(&o)
	}
	checks, err := gpu.Check(ctx, id, o.gpu(), compileOnly, o.checked)
	if err == nil {
		err = backend.Usable(checks)
	}
	return checks, err
}

// WithCheckProgress has CheckDevice call f after each kernel variant with how many of how many are done. The calls come one at a
// time. Others take no notice of it.
func WithCheckProgress(f func(done, of int)) Option { return func(o *options) { o.checked = f } }
