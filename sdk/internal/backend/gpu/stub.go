//go:build !linux || android || !cgo || novulkan

package gpu

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/pkg/errors"
)

// Open returns ErrNoDevice: this program was built without Vulkan.
func Open(id string, _ Options) (backend.Backend, error) {
	return nil, errors.WithMessagef(backend.ErrNoDevice, "%s: this program was built without Vulkan", id)
}

// Devices returns ErrNoDevice: this program was built without Vulkan.
func Devices() ([]backend.Info, error) {
	return nil, errors.WithMessage(backend.ErrNoDevice, "this program was built without Vulkan")
}

// Check returns ErrNoDevice: this program was built without Vulkan.
func Check(_ context.Context, id string, _ Options, _ bool, _ func(done, of int)) ([]backend.KernelCheck, error) {
	return nil, errors.WithMessagef(backend.ErrNoDevice, "%s: this program was built without Vulkan", id)
}
