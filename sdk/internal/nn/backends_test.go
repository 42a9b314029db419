package nn_test

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
)

// tolerance bounds the difference to the golden numbers: outputs and gradients relative to a tensor's largest value,
// attention probabilities absolute. The golden numbers themselves are within 4e-6 and 2e-4 of float64; tanh-GELU in
// place of erf-GELU moves the features by 1.2e-4.
type tolerance struct{ outputs, gradients, probs float64 }

var (
	refTolerance = tolerance{outputs: 1e-5, gradients: 4e-4, probs: 4e-6}
	cpuTolerance = tolerance{outputs: 5e-5, gradients: 2e-3, probs: 2e-5}
	gpuTolerance = tolerance{outputs: 1e-4, gradients: 1e-2, probs: 2e-5}
)

func reference(t *testing.T) backend.Backend {
	t.Helper()
	be := host.NewReference()
	t.Cleanup(func() { closeBackend(t, be) })
	return be
}

// forEachBackend runs f on every backend of this machine; Vulkan skips with the reason where there is none.
func forEachBackend(t *testing.T, f func(t *testing.T, be backend.Backend, tol tolerance)) {
	t.Run("ref", func(t *testing.T) { f(t, reference(t), refTolerance) })
	forEachDevice(t, f)
}

// forEachDevice is forEachBackend without the reference.
func forEachDevice(t *testing.T, f func(t *testing.T, be backend.Backend, tol tolerance)) {
	t.Run("cpu", func(t *testing.T) {
		be, err := cpu.New(cpu.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeBackend(t, be) })
		f(t, be, cpuTolerance)
	})
	t.Run("vulkan", func(t *testing.T) {
		be := gputest.Open(t)
		t.Cleanup(func() { closeBackend(t, be) })
		f(t, be, gpuTolerance)
	})
}

// closeBackend also checks that everything made from be was freed.
func closeBackend(t *testing.T, be backend.Backend) {
	t.Helper()
	if n := be.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes still in use", n)
	}
	if err := be.Close(); err != nil {
		t.Error(err)
	}
}
