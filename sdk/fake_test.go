package sdk_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
)

// machine is one with fake GPUs, which compute as the CPU backend does, and a clock that only their runs move.
type machine struct {
	mu      sync.Mutex
	clock   time.Time
	cpuCost time.Duration
	gpus    []*fakeGPU
	opened  []string // "UUID" or "cpu", with the caution
}

// fakeGPU is a device of it.
type fakeGPU struct {
	info   sdk.Device
	cost   time.Duration
	faulty bool                      // fails its self-test
	wrong  bool                      // gives wrong features
	lost   func(run, opens int) bool // whether this run, counted over all openings, loses the device
	runs   int
	opens  int
}

func (m *machine) option() sdk.Option {
	return sdk.WithDrivers(m.list, m.open, func(o cpu.Options) (backend.Backend, error) {
		m.note("cpu")
		be, err := cpu.New(o)
		return &fakeBackend{Backend: be, m: m, gpu: &fakeGPU{info: be.Info(), cost: m.cpuCost}}, err
	}, func() time.Time {
		m.mu.Lock()
		defer m.mu.Unlock()
		return m.clock
	})
}

func (m *machine) note(what string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = append(m.opened, what)
}

func (m *machine) list() (all []sdk.Device, err error) {
	for _, g := range m.gpus {
		all = append(all, g.info)
	}
	return all, nil
}

func (m *machine) open(id string, o gpu.Options) (backend.Backend, error) {
	for _, g := range m.gpus {
		if g.info.ID != id && g.info.UUID != id {
			continue
		}
		how := "usual"
		if o.SegmentTime > 0 {
			how = "careful"
		}
		info := g.info
		if o.Safe {
			how = "safe"
			info.Driver += ", base kernels"
		}
		m.note(id + " " + how)
		g.opens++
		be, err := cpu.New(cpu.Options{})
		return &fakeBackend{Backend: be, m: m, gpu: g, info: &info, opens: g.opens}, err
	}
	return nil, fmt.Errorf("%w: %s", backend.ErrNoDevice, id)
}

type fakeBackend struct {
	backend.Backend
	m     *machine
	gpu   *fakeGPU
	info  *sdk.Device
	opens int
	dead  bool
}

func (b *fakeBackend) Info() backend.Info {
	if b.info == nil {
		return b.Backend.Info()
	}
	return *b.info
}

func (b *fakeBackend) Compile(p *backend.Program) (backend.Executable, error) {
	if b.gpu.faulty {
		return nil, fmt.Errorf("kernel linear: %w", backend.ErrFaulty)
	}
	e, err := b.Backend.Compile(p)
	return &fakeExecutable{e, b}, err
}

type fakeExecutable struct {
	backend.Executable
	b *fakeBackend
}

func (e *fakeExecutable) Run(ctx context.Context) error {
	b := e.b
	b.m.mu.Lock()
	b.gpu.runs++
	b.m.clock = b.m.clock.Add(b.gpu.cost)
	b.dead = b.dead || b.gpu.lost != nil && b.gpu.lost(b.gpu.runs, b.opens)
	dead := b.dead
	b.m.mu.Unlock()
	if dead {
		return fmt.Errorf("fake: %w", backend.ErrDeviceLost)
	}
	return e.Executable.Run(ctx)
}

func (e *fakeExecutable) ReadFloats(v backend.Value, dst []float32) error {
	err := e.Executable.ReadFloats(v, dst)
	if e.b.gpu.wrong {
		dst[0] += 3
	}
	return err
}
