package sdk

import (
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
)

// WithDrivers has a Runtime find and open other devices than the machine's, and look at another clock.
func WithDrivers(list func() ([]Device, error), open func(string, gpu.Options) (backend.Backend, error),
	openCPU func(cpu.Options) (backend.Backend, error), now func() time.Time) Option {
	return func(o *options) { o.drivers = drivers{list, open, openCPU, now} }
}
