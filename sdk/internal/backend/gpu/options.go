package gpu

import "time"

// Options configure Open.
type Options struct {
	Validation   bool                        // Vulkan's validation layers, where they are installed
	OnMessage    func(severity, text string) // receives what the layers say; may be called from any goroutine
	CacheDir     string                      // where compiled pipelines are kept; empty for nowhere
	RobustAccess bool                        // bounds-checked buffer access, for tests
	SegmentTime  time.Duration               // longest estimated time of one submission, 0 for the usual
	Pin          []string                    // kernel variants to use where they can, as "linear_q8c/TEXEL+Q8C" or "affine", for tests
}
