// Package gputest opens a Vulkan device for tests: with the validation layers on, whose every message fails the test.
package gputest

import (
	"os"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
)

// Require skips the test where there is no Vulkan device, saying why; with EDGEADAPT_REQUIRE_VULKAN=1 it fails.
func Require(t testing.TB) {
	t.Helper()
	devices, err := gpu.Devices()
	if err == nil && len(devices) > 0 {
		return
	}
	if os.Getenv("EDGEADAPT_REQUIRE_VULKAN") == "1" {
		t.Fatalf("no Vulkan device, and EDGEADAPT_REQUIRE_VULKAN is set: %v", err)
	}
	t.Skipf("no Vulkan device: %v", err)
}

// Open opens the first device, with kernels used untested; the caller closes it.
func Open(t *testing.T) backend.Backend { return OpenWith(t, gpu.Options{Untested: true}) }

// OpenWith is Open with further options.
func OpenWith(t *testing.T, o gpu.Options) backend.Backend {
	t.Helper()
	Require(t)
	o.Validation = true
	o.OnMessage = func(severity, text string) { t.Errorf("validation layer: %s: %s", severity, text) }
	be, err := gpu.Open("vulkan:0", o)
	if err != nil {
		t.Fatal(err)
	}
	return be
}
