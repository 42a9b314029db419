//go:build linux && !android && cgo && !novulkan

package gpu_test

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
)

// TestSuite runs every operator on the device, with validation layers on, against the reference.
func TestSuite(t *testing.T) {
	gputest.Require(t)
	backendtest.Run(t, gputest.Open, 2e-5)
}
