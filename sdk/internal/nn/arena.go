package nn

import (
	"cmp"
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/pkg/errors"
)

// Stats says what a Mixer holds and what it did so far.
type Stats struct {
	Residents int    // adapters on the device
	Bytes     int64  // that they take there
	Budget    int64  // that they may take
	Hits      uint64 // uses of an adapter that was resident
	Misses    uint64 // uses that had to bring it there
	Evictions uint64 // adapters that made room for others
}

// arena holds resident tasks side by side in one buffer of the device. It starts small and doubles up to its budget; then
// the least recently used tasks make room. One goroutine at a time.
type arena struct {
	be     backend.Backend
	dtype  backend.DType // of its elements
	budget int           // elements
	buf    backend.Buffer
	tasks  []*Resident // by offset
	clock  uint64
	stats  Stats
	moved  func() error // called before a buffer gives way to a larger one
	packed []float32    // scratch
}

// minArena is the first size of an arena in elements: 1 MiB of float32.
const minArena = 1 << 18

// touch makes t resident. It returns false where only tasks used at the present tick stand in its way, and
// ErrOutOfMemory where t alone exceeds the budget.
func (a *arena) touch(t *Resident) (ok bool, err error) {
	if t.at >= 0 {
		a.stats.Hits++
		t.used = a.clock
		return true, nil
	}
	if t.size > a.budget {
		return false, errors.WithMessagef(backend.ErrOutOfMemory, "the adapter takes %d bytes, the budget for resident adapters is %d", t.Bytes(a.dtype), int64(a.dtype.Size())*int64(a.budget))
	}
	a.packed = slices.Grow(a.packed[:0], t.size)[:t.size]
	if err := t.pack(a.packed); err != nil {
		return false, err
	}
	if err := t.fits(a.packed, a.dtype); err != nil {
		return false, err
	}
	at, ok, err := a.room(t.size)
	if !ok || err != nil {
		return false, err
	}
	if err := a.buf.Write(at, a.packed); err != nil {
		return false, err
	}
	a.stats.Misses++
	t.place(at)
	t.used = a.clock
	i, _ := slices.BinarySearchFunc(a.tasks, at, func(x *Resident, at int) int { return cmp.Compare(x.at, at) })
	a.tasks = slices.Insert(a.tasks, i, t)
	a.count()
	return true, nil
}

// room finds n free elements, by growth or by eviction where it must.
func (a *arena) room(n int) (at int, ok bool, err error) {
	for {
		if at, ok := a.gap(n); ok {
			return at, true, nil
		}
		grown, err := a.grow(n)
		if err != nil {
			return 0, false, err
		}
		if !grown && !a.evict() {
			return 0, false, nil
		}
	}
}

// gap finds the first n free elements in a row.
func (a *arena) gap(n int) (int, bool) {
	if a.buf == nil {
		return 0, false
	}
	at := 0
	for _, t := range a.tasks {
		if t.at-at >= n {
			return at, true
		}
		at = t.at + t.size
	}
	return at, a.buf.Len()-at >= n
}

// grow replaces the buffer by one of twice the size, or more if n needs it, within the budget.
func (a *arena) grow(n int) (bool, error) {
	have, want := 0, minArena
	if a.buf != nil {
		have = a.buf.Len()
		want = 2 * have
	}
	want = min(max(want, have+n), a.budget)
	if want <= have {
		return false, nil
	}
	newBuffer := a.be.NewBuffer
	if a.dtype == backend.F16 {
		newBuffer = a.be.NewHalfBuffer
	}
	buf, err := newBuffer("arena", want)
	if err != nil {
		if have >= n && errors.Is(err, backend.ErrOutOfMemory) {
			return false, nil // the device has no more: what there is serves
		}
		return false, err
	}
	if have > 0 {
		old := make([]float32, have)
		if err = a.buf.Read(0, old); err == nil {
			err = buf.Write(0, old)
		}
		if e := a.moved(); err == nil {
			err = e
		}
		if err == nil {
			err = a.buf.Close()
		}
		if err != nil {
			buf.Close()
			return false, err
		}
	}
	a.buf = buf
	return true, nil
}

// evict drops the least recently used task that is not in use at the present tick.
func (a *arena) evict() bool {
	var last *Resident
	for _, t := range a.tasks {
		if t.used != a.clock && (last == nil || t.used < last.used) {
			last = t
		}
	}
	if last == nil {
		return false
	}
	a.stats.Evictions++
	a.drop(last)
	return true
}

// drop frees what t takes, if it is resident.
func (a *arena) drop(t *Resident) {
	if t.at < 0 {
		return
	}
	t.place(-1)
	a.tasks = slices.DeleteFunc(a.tasks, func(x *Resident) bool { return x == t })
	a.count()
}

func (a *arena) count() {
	a.stats.Residents, a.stats.Bytes = len(a.tasks), 0
	for _, t := range a.tasks {
		a.stats.Bytes += t.Bytes(a.dtype)
	}
}

func (a *arena) close() error {
	for _, t := range a.tasks {
		t.place(-1)
	}
	a.tasks = nil
	a.count()
	if a.buf == nil {
		return nil
	}
	err := a.buf.Close()
	a.buf = nil
	return err
}
