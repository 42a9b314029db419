package backend

import (
	"slices"
	"time"

	"github.com/pkg/errors"
)

// KernelCheck is how a variant of a kernel did in a device's self-test.
type KernelCheck struct {
	Kernel, Variant string
	Used            bool          // the device's choice for some sizes
	Fault           string        // empty: it passed
	Case            string        // in which it failed, or the last one that it passed
	MaxError        float64       // relative to the largest value of the reference
	Divided         string        // how it does where long dispatches are divided: "ok", what is wrong (they stay whole), empty if none are
	Took            time.Duration // running, or with pipelines only compiling
}

// Usable returns ErrFaulty if the checks leave a kernel without a variant that works.
func Usable(checks []KernelCheck) error {
	for _, c := range checks {
		works := func(o KernelCheck) bool { return o.Kernel == c.Kernel && o.Fault == "" }
		if c.Fault != "" && !slices.ContainsFunc(checks, works) {
			return errors.WithMessagef(ErrFaulty, "kernel %s: %s", c.Kernel, c.Fault)
		}
	}
	return nil
}
