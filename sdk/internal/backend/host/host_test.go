package host_test

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/backendtest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
)

func TestReference(t *testing.T) {
	backendtest.Run(t, func(*testing.T) backend.Backend { return host.NewReference() }, 1e-9)
}

// TestFloat32 is the base of the CPU backend: only loads and stores are rounded.
func TestFloat32(t *testing.T) {
	backendtest.Run(t, func(*testing.T) backend.Backend {
		return host.New(host.Options[float32]{Info: backend.Info{ID: "float32", Kind: "cpu"}})
	}, 1e-6)
}
