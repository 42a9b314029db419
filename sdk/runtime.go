package sdk

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/pkg/errors"
)

// Device describes a device that can run models.
type Device = backend.Info

// Devices lists what Open accepts on this machine: the CPU first, then Vulkan's devices.
// A machine without Vulkan has only the CPU; that is no error.
func Devices() []Device {
	var list []Device
	if be, err := cpu.New(cpu.Options{}); err == nil {
		list = append(list, be.Info())
		be.Close()
	}
	if vulkan, err := gpu.Devices(); err == nil {
		list = append(list, vulkan...)
	}
	return list
}

// InstructionSets lists the kernels of this processor that EDGEADAPT_CPU chooses from, best first; the last is portable Go.
func InstructionSets() []string { return cpu.InstructionSets() }

// Runtime is one open device and owns all that is made from it. Safe for concurrent use.
type Runtime struct {
	opt     options
	plugins *plugin.Engine

	mu        sync.Mutex
	seats     []*seat // the first is the named device, or under "auto" the CPU
	latest    *seat   // of the backbone that was loaded last
	backbones []*Backbone
	closed    bool
}

// Open opens a device. The caller closes the Runtime; that closes everything made from it.
// It returns ErrNoDevice where the named device does not exist.
func Open(ctx context.Context, opts ...Option) (*Runtime, error) {
	o := initial()
	for _, set := range opts {
		set(&o)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	s, err := newSeat(o)
	if err != nil {
		return nil, err
	}
	if o.cacheDir != "" && o.plugins.CacheDir == "" {
		o.plugins.CacheDir = filepath.Join(o.cacheDir, "plugins")
	}
	return &Runtime{seats: []*seat{s}, latest: s, opt: o, plugins: plugin.NewEngine(o.plugins)}, nil
}

func initial() options {
	return options{drivers: realDrivers(), device: "auto", activations: "auto", budget: 64 << 20, storage: quant.F32, maxBatch: nn.MaxBatch, queue: 128, log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

// gpu is what a Vulkan device has to know of o.
func (o options) gpu() gpu.Options {
	return gpu.Options{Validation: o.validation, CacheDir: o.cacheDir,
		OnMessage: func(severity, text string) { o.log.Error("vulkan validation", "severity", severity, "text", text) }}
}

// Device describes the open device. Under "auto" it is the CPU until a backbone is loaded, then the one chosen for the latest;
// after a loss it is what replaced the device.
func (rt *Runtime) Device() Device {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	return rt.latest.backend().Info()
}

// MemoryInUse is the number of bytes that everything made from rt holds on its devices.
func (rt *Runtime) MemoryInUse() (n int64) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	for _, s := range rt.seats {
		n += s.backend().MemoryInUse()
	}
	return n
}

// LoadBackbone reads a backbone file, as quantize writes it, and makes its weights resident.
// It returns ErrCorrupt or ErrVersion for a file that is not one.
func (rt *Runtime) LoadBackbone(ctx context.Context, path string) (*Backbone, error) {
	b, err := model.OpenBackbone(path)
	if err != nil {
		return nil, err
	}
	bb, err := rt.UseBackbone(ctx, b)
	if err != nil {
		b.Close()
		return nil, err
	}
	bb.owned = b
	return bb, nil
}

// UseBackbone makes b's weights resident, for backbones that are already in memory such as the one of package
// backbones/vits14. b stays the caller's and must outlive the result.
func (rt *Runtime) UseBackbone(ctx context.Context, b *model.Backbone) (*Backbone, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rt.mu.Lock()
	defer rt.mu.Unlock()
	if rt.closed {
		return nil, errors.WithMessage(ErrClosed, "runtime")
	}
	s, err := rt.choose(ctx, b)
	if err != nil {
		return nil, err
	}
	n, err := rt.opt.newNetwork(s.backend(), b)
	if err != nil {
		return nil, err
	}
	rt.latest = s
	bb := &Backbone{rt: rt, host: b, seat: s, turn: make(chan struct{}, 1)}
	bb.net.Store(n)
	bb.pages.budget = rt.opt.hostBudget
	bb.sched = newScheduler(rt.opt, bb.runJobs)
	rt.backbones = append(rt.backbones, bb)
	return bb, nil
}

// activationsOn is how b's layers are to be multiplied on be.
func (o options) activationsOn(be backend.Backend, b *model.Backbone) (nn.Activations, error) {
	name, half := o.storedAs()
	storage := nn.Activations(0)
	if half && be.Info().Half {
		storage = nn.HalfStorage
	}
	switch name {
	case "float":
		return nn.FloatActivations | storage, nil
	case "int8":
		return nn.Int8Activations | storage, nil
	case "auto":
		if i := be.Info(); i.Int8 && i.Kind != "reference" && b.Scheme().Integers() {
			return nn.Int8Activations | storage, nil
		}
		return nn.FloatActivations | storage, nil
	}
	return 0, errors.WithMessagef(ErrOption, "activations %q, expected auto, int8 or float, and +f16 behind it or not", o.activations)
}

// storedAs takes WithActivations apart: how layers' inputs are multiplied, and whether what attention reads is stored as float16.
func (o options) storedAs() (name string, half bool) { return strings.CutSuffix(o.activations, "+f16") }

// forget removes a closed backbone.
func (rt *Runtime) forget(bb *Backbone) {
	rt.mu.Lock()
	defer rt.mu.Unlock()
	rt.backbones = slices.DeleteFunc(rt.backbones, func(b *Backbone) bool { return b == bb })
}

// Close frees every backbone and adapter, after the calls under way, and the device. Idempotent.
func (rt *Runtime) Close() error {
	rt.mu.Lock()
	if rt.closed {
		rt.mu.Unlock()
		return nil
	}
	rt.closed = true
	list := slices.Clone(rt.backbones)
	rt.mu.Unlock()
	var first error
	for i := len(list) - 1; i >= 0; i-- {
		if err := list[i].Close(); err != nil && first == nil {
			first = err
		}
	}
	if err := rt.plugins.Close(); err != nil && first == nil {
		first = err
	}
	for _, s := range rt.seats {
		if err := s.close(); err != nil && first == nil {
			first = err
		}
	}
	return first
}
