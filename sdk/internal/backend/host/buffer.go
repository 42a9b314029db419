package host

import (
	"context"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// buffer implements backend.Buffer. Either data or halves holds its elements.
type buffer[T ref.Float] struct {
	be     *Backend[T]
	name   string
	data   []T
	halves []uint16 // IEEE binary16
	memory
}

// NewBuffer implements backend.Backend.
func (b *Backend[T]) NewBuffer(name string, n int) (backend.Buffer, error) {
	u, err := b.newBuffer(name, n)
	if err != nil {
		return nil, err
	}
	u.data = make([]T, n)
	u.add(int64(n) * sizeof[T]())
	return u, nil
}

// NewHalfBuffer implements backend.Backend.
func (b *Backend[T]) NewHalfBuffer(name string, n int) (backend.Buffer, error) {
	u, err := b.newBuffer(name, n)
	if err != nil {
		return nil, err
	}
	u.halves = make([]uint16, n)
	u.add(2 * int64(n))
	return u, nil
}

func (b *Backend[T]) newBuffer(name string, n int) (*buffer[T], error) {
	if err := b.open(); err != nil {
		return nil, errors.WithMessagef(err, "buffer %s", name)
	}
	if n <= 0 {
		return nil, errors.WithMessagef(tensor.ErrShape, "buffer %s of %d elements", name, n)
	}
	return &buffer[T]{be: b, name: name, memory: memory{inUse: &b.inUse}}, nil
}

func (u *buffer[T]) Len() int { return len(u.data) + len(u.halves) }

func (u *buffer[T]) Type() backend.DType {
	if u.halves != nil {
		return backend.F16
	}
	return backend.F32
}

func (u *buffer[T]) Write(offset int, src []float32) error {
	return u.access(offset, len(src), func() {
		if u.halves == nil {
			convert(u.data[offset:], src)
			return
		}
		for i, v := range src {
			u.halves[offset+i] = quant.ToF16(v)
		}
	})
}

func (u *buffer[T]) Read(offset int, dst []float32) error {
	return u.access(offset, len(dst), func() {
		if u.halves == nil {
			convert(dst, u.data[offset:offset+len(dst)])
			return
		}
		for i := range dst {
			dst[i] = quant.FromF16(u.halves[offset+i])
		}
	})
}

// access calls f when no run is under way, if the buffer has n elements from offset on.
func (u *buffer[T]) access(offset, n int, f func()) error {
	u.be.acquire(context.Background())
	defer u.be.release()
	switch {
	case u.freed.Load():
		return errors.WithMessagef(backend.ErrClosed, "buffer %s", u.name)
	case offset < 0 || n > u.Len() || offset > u.Len()-n:
		return errors.WithMessagef(tensor.ErrShape, "buffer %s has %d elements, access to %d from %d on", u.name, u.Len(), n, offset)
	}
	f()
	return nil
}

func (u *buffer[T]) Close() error {
	u.free()
	return nil
}

// convert copies src to dst, rounding to dst's type.
func convert[A, B ref.Float](dst []A, src []B) {
	if same, ok := any(dst).([]B); ok {
		copy(same, src)
		return
	}
	for i, v := range src {
		dst[i] = A(v)
	}
}
