package gpu

import (
	"time"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// Options configure Open.
type Options struct {
	Validation   bool                        // Vulkan's validation layers, where they are installed
	OnMessage    func(severity, text string) // receives what the layers say; may be called from any goroutine
	CacheDir     string                      // where compiled pipelines and verdicts on kernels are kept; empty for nowhere
	RobustAccess bool                        // bounds-checked buffer access, for tests
	SegmentTime  time.Duration               // longest estimated time of one submission, 0 for the usual
	Safe         bool                        // only the variants that every device gets
	Untested     bool                        // use kernels without their self-test, for tests of the kernels themselves
	Pin          []string                    // kernel variants to use where they can, as "linear_q8c/TEXEL+Q8C" or "affine", for tests
	WeightBytes  int                         // largest piece of a weight, 0 for what the device can bind, for tests
	// As, for tests, are features to choose kernels by instead of those worth using on this device, as far as it supports them.
	As *shaders.Feature
}
