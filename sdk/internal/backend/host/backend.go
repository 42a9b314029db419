package host

import (
	"context"
	"sync/atomic"
	"unsafe"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
	"github.com/pkg/errors"
)

// Options adapt a Backend to a device. The zero value runs everything by package ref.
type Options[T ref.Float] struct {
	Info backend.Info
	// Kernel is asked once for each operator, when a Program is compiled, for the code that runs it; nil, or a nil
	// result, leaves the operator to ref. The code is called by one goroutine at a time, in the Program's order.
	Kernel func(e *Executable[T], op backend.Op) func() error
	// Pack makes a frozen matrix resident in the form that the kernels read; it keeps no reference to m's slices.
	// Nil copies the matrix as it is. Kernels find the result by Executable.Weight.
	Pack func(m quant.Matrix) (Packed, error)
}

// Packed is a resident form of a frozen matrix. Ref reads it by rows, dequantised as quant.Matrix defines it.
type Packed interface {
	ref.Weight
	Bytes() int
}

// Backend runs Programs on slices of T. It implements backend.Backend.
type Backend[T ref.Float] struct {
	opt    Options[T]
	turn   chan struct{} // holds one token while an Executable runs or a Buffer is read or written
	inUse  atomic.Int64
	closed atomic.Bool
}

// New makes a Backend.
func New[T ref.Float](o Options[T]) *Backend[T] {
	if o.Pack == nil {
		o.Pack = copyMatrix
	}
	return &Backend[T]{opt: o, turn: make(chan struct{}, 1)}
}

// NewReference makes the reference device: float64 values, plain loops, one goroutine.
func NewReference() *Backend[float64] {
	return New(Options[float64]{Info: backend.Info{ID: "ref", Name: "float64 reference", Kind: "reference", Int8: true, Half: true}})
}

// Info implements backend.Backend.
func (b *Backend[T]) Info() backend.Info { return b.opt.Info }

// MemoryInUse implements backend.Backend.
func (b *Backend[T]) MemoryInUse() int64 { return b.inUse.Load() }

// Close implements backend.Backend. A run under way finishes first.
func (b *Backend[T]) Close() error {
	b.acquire(context.Background())
	defer b.release()
	b.closed.Store(true)
	return nil
}

func (b *Backend[T]) open() error {
	if b.closed.Load() {
		return errors.WithMessagef(backend.ErrClosed, "device %s", b.opt.Info.ID)
	}
	return nil
}

// acquire waits for the device, or for ctx.
func (b *Backend[T]) acquire(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Backend[T]) release() { <-b.turn }

// memory is the share of one object in MemoryInUse; it is given back once.
type memory struct {
	inUse *atomic.Int64
	bytes atomic.Int64
	freed atomic.Bool
}

func (m *memory) add(n int64) {
	m.bytes.Add(n)
	m.inUse.Add(n)
}

func (m *memory) free() {
	if !m.freed.Swap(true) {
		m.inUse.Add(-m.bytes.Load())
	}
}

func sizeof[T ref.Float]() int64 {
	var zero T
	return int64(unsafe.Sizeof(zero))
}
