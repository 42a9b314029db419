package sdk

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/pkg/errors"
)

// pages keeps the host copies of a backbone's adapters within a budget. A copy goes only while its adapter is neither on
// the device nor in a call, and comes back when a call enters its version, on the caller's goroutine: no pass waits for a
// disk, and a file that cannot be read fails only the call that needs it. Safe for concurrent use.
type pages struct {
	budget int64 // bytes; 0: no limit
	reads  atomic.Uint64
	clock  atomic.Uint64

	mu       sync.Mutex // taken before version.mu
	versions []*version
}

func (p *pages) add(v *version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions = append(p.versions, v)
}

func (p *pages) remove(v *version) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.versions = slices.DeleteFunc(p.versions, func(x *version) bool { return x == v })
}

// trim drops copies, the least recently used first, until what is in host memory but not on the device fits the budget.
func (p *pages) trim() {
	if p.budget == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var total int64
	var idle []*version
	for _, v := range p.versions {
		if v.task.OnDevice() || v.task.Host() == nil {
			continue
		}
		total += v.task.HostBytes()
		if v.file != nil {
			idle = append(idle, v)
		}
	}
	slices.SortFunc(idle, func(a, b *version) int { return cmp.Compare(a.used.Load(), b.used.Load()) })
	for _, v := range idle {
		if total <= p.budget {
			return
		}
		if v.pageOut() {
			total -= v.task.HostBytes()
		}
	}
}

// count adds what p holds to s.
func (p *pages) count(s *Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.FileReads += p.reads.Load()
	for _, v := range p.versions {
		if v.task.Host() == nil {
			s.InFile++
		} else {
			s.InHost++
		}
	}
}

// adapterFile is where a version was read from, and what it held.
type adapterFile struct{ path, digest string }

// read gives the adapter again, to the bit, or ErrFileChanged.
func (f *adapterFile) read() (*adapter.Adapter, error) {
	a, err := adapter.ReadFile(f.path)
	if err != nil {
		return nil, errors.WithMessage(err, "adapter that was paged out to its file")
	}
	digest, err := a.Digest()
	if err != nil {
		return nil, err
	}
	if digest != f.digest {
		return nil, errors.WithMessagef(ErrFileChanged, "adapter that was paged out to %s: digest %s, expected %s", f.path, digest, f.digest)
	}
	return a, nil
}

// host is the adapter in memory, read again where it is paged out; v.mu is held.
func (v *version) host() (*adapter.Adapter, error) {
	if a := v.task.Host(); a != nil {
		return a, nil
	}
	a, err := v.file.read()
	if err != nil {
		return nil, err
	}
	v.pages.reads.Add(1)
	v.task.SetHost(a)
	return a, nil
}

// pageOut drops the copy in host memory unless v is in use. An idle version that is not on the device cannot get there.
func (v *version) pageOut() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.calls > 0 || v.closed || v.task.OnDevice() || v.task.Host() == nil {
		return false
	}
	v.task.SetHost(nil)
	return true
}
