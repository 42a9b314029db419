package host

import (
	"context"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// buffer implements backend.Buffer.
type buffer[T ref.Float] struct {
	be   *Backend[T]
	name string
	data []T
	memory
}

// NewBuffer implements backend.Backend.
func (b *Backend[T]) NewBuffer(name string, n int) (backend.Buffer, error) {
	if err := b.open(); err != nil {
		return nil, errors.WithMessagef(err, "buffer %s", name)
	}
	if n <= 0 {
		return nil, errors.WithMessagef(tensor.ErrShape, "buffer %s of %d elements", name, n)
	}
	u := &buffer[T]{be: b, name: name, data: make([]T, n), memory: memory{inUse: &b.inUse}}
	u.add(int64(n) * sizeof[T]())
	return u, nil
}

func (u *buffer[T]) Len() int { return len(u.data) }

func (u *buffer[T]) Write(offset int, src []float32) error {
	return u.access(offset, len(src), func(data []T) { convert(data, src) })
}

func (u *buffer[T]) Read(offset int, dst []float32) error {
	return u.access(offset, len(dst), func(data []T) { convert(dst, data) })
}

// access calls f on n elements from offset on, when no run is under way.
func (u *buffer[T]) access(offset, n int, f func([]T)) error {
	u.be.acquire(context.Background())
	defer u.be.release()
	switch {
	case u.freed.Load():
		return errors.WithMessagef(backend.ErrClosed, "buffer %s", u.name)
	case offset < 0 || n > len(u.data) || offset > len(u.data)-n:
		return errors.WithMessagef(tensor.ErrShape, "buffer %s has %d elements, access to %d from %d on", u.name, len(u.data), n, offset)
	}
	f(u.data[offset : offset+n])
	return nil
}

func (u *buffer[T]) Close() error {
	u.free()
	return nil
}

// convert copies src to dst, rounding to dst's type.
func convert[A, B ref.Float](dst []A, src []B) {
	for i, v := range src {
		dst[i] = A(v)
	}
}
