package sdk

import (
	"sync"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
	"github.com/pkg/errors"
)

// caution is how a seat's device is used: each loss of it makes that more cautious.
type caution int

const (
	usual   caution = iota
	careful         // in submissions of a quarter of the time; to the same bits
	safe            // and with the kernel variants that need nothing
	onCPU           // instead of it
)

func (c caution) String() string {
	return [...]string{"as before", "in short submissions", "in short submissions, with base kernels", "on the CPU"}[c]
}

// carefulTime is the longest estimated time of a submission to a device that was lost before.
const carefulTime = 12500 * time.Microsecond

// drivers are how devices are found and opened; tests have their own.
type drivers struct {
	list func() ([]Device, error)
	open func(id string, o gpu.Options) (backend.Backend, error)
	cpu  func(cpu.Options) (backend.Backend, error)
	now  func() time.Time
}

func realDrivers() drivers {
	openCPU := func(o cpu.Options) (backend.Backend, error) { return cpu.New(o) }
	return drivers{gpu.Devices, gpu.Open, openCPU, time.Now}
}

// seat is where backbones live: a device, or what has replaced it since it was lost. Safe for concurrent use.
type seat struct {
	opt options // with the device's name

	mu     sync.Mutex
	be     backend.Backend
	how    caution
	losses uint64
}

func newSeat(o options) (*seat, error) {
	s := &seat{opt: o}
	be, err := s.open(usual)
	s.be = be
	return s, err
}

func (s *seat) open(how caution) (backend.Backend, error) {
	switch {
	case how == onCPU || s.opt.device == "auto" || s.opt.device == "cpu":
		return s.opt.drivers.cpu(cpu.Options{Threads: s.opt.threads})
	case s.opt.device == "ref":
		return host.NewReference(), nil
	}
	o := s.opt.gpu()
	if how >= careful {
		o.SegmentTime = carefulTime
	}
	o.Safe = how >= safe
	be, err := s.opt.drivers.open(s.opt.device, o)
	return be, errors.WithMessagef(err, "device %q (auto, cpu, ref, vulkan:N or a UUID)", s.opt.device)
}

func (s *seat) backend() backend.Backend {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.be
}

// replace reopens the device because lost was lost, at least as cautiously as how, or goes over to the CPU where that cannot
// be. Whoever comes second finds it done. Everything made from lost is gone. It returns cause where how may not be exceeded
// and was tried already.
func (s *seat) replace(lost backend.Backend, how, most caution, cause error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.be != lost {
		return nil
	}
	s.losses++
	for next := max(how, s.how+1); next <= most; next++ {
		_ = lost.Close() // frees what can be freed of a device that does not answer
		be, err := s.open(next)
		if err != nil {
			s.opt.log.Warn("device cannot be opened again", "device", lost.Info().Name, "error", err)
			continue
		}
		s.opt.log.Warn("device lost", "device", lost.Info().Name, "driver", lost.Info().Driver, "cause", cause, "goes on", next.String())
		s.be, s.how = be, next
		return nil
	}
	return cause
}

// lostUnder tells whether err, of something that ran on be, is due to the device's loss.
func (s *seat) lostUnder(be backend.Backend, err error) bool {
	return errors.Is(err, ErrDeviceLost) || errors.Is(err, ErrClosed) && s.backend() != be
}

func (s *seat) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if n := s.be.MemoryInUse(); invariants && n != 0 {
		err = errors.Errorf("leak: %d bytes of device memory in use after everything was closed", n)
	}
	if e := s.be.Close(); err == nil {
		err = e
	}
	return err
}
