//go:build linux && !android && cgo && !novulkan

package gpu_test

import (
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
)

// TestWeightsInParts runs operators whose weights are in as many parts as can be.
func TestWeightsInParts(t *testing.T) {
	gputest.Require(t)
	open := func(t *testing.T) backend.Backend {
		return gputest.OpenWith(t, gpu.Options{Untested: true, WeightBytes: 1})
	}
	backendtest.Run(t, open, tolerance, "linear_bwd_x", "block", "timed")
	copies := 0
	for _, line := range blockPlan(t, open(t), true) {
		if strings.Contains(line, " rows of ") {
			copies++
		}
	}
	if copies < 10 {
		t.Errorf("control: %d copies of columns in a block", copies)
	}
}
