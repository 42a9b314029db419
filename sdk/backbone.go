package sdk

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/pkg/errors"
)

// Backbone is a frozen Vision Transformer, resident on its Runtime's device and shared by all adapters made for it.
// Safe for concurrent use: calls with different adapters never disturb each other.
type Backbone struct {
	rt    *Runtime
	host  *model.Backbone
	owned io.Closer // the file, where LoadBackbone opened it
	seat  *seat
	net   atomic.Pointer[network] // written by whoever holds turn
	turn  chan struct{}           // holds one token while the mixer is in use
	stats atomic.Pointer[nn.Stats]
	pages pages
	sched *scheduler

	use      gate
	mu       sync.Mutex
	adapters []*Adapter
}

// Info is what a backbone file says about itself.
func (bb *Backbone) Info() model.Config { return bb.host.Config() }

// Fingerprint identifies the architecture and the source weights; every quantisation of one checkpoint shares it.
func (bb *Backbone) Fingerprint() string { return bb.host.Fingerprint() }

// enter begins a call; the caller defers what it returns.
func (bb *Backbone) enter(ctx context.Context) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !bb.use.enter() {
		return nil, errors.WithMessage(ErrClosed, "backbone")
	}
	return bb.use.leave, nil
}

// Close frees the backbone and its adapters after the calls under way, queued ones included; calls that begin meanwhile return
// ErrClosed. Idempotent. Not to be called from within a call of its own, such as a progress function.
func (bb *Backbone) Close() error {
	if !bb.use.close() {
		return nil
	}
	bb.sched.close()
	bb.mu.Lock()
	list := slices.Clone(bb.adapters)
	bb.mu.Unlock()
	var first error
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	for _, a := range list {
		keep(a.Close())
	}
	if err := bb.net.Load().close(); bb.net.Load().be == bb.seat.backend() {
		keep(err)
	}
	if bb.owned != nil {
		keep(bb.owned.Close())
	}
	bb.rt.forget(bb)
	return first
}

// Adapter is an adapter beside a Backbone, to be named in any later call. Where the device's budget for adapters is spent,
// those that were not used for longest leave it, and come back at their next use. Safe for concurrent use.
type Adapter struct {
	bb   *Backbone
	path string // of its file, empty where it came from memory
	now  atomic.Pointer[version]
	mu   sync.Mutex // held by Replace and Close
}

// LoadAdapter reads an adapter file and makes it resident. It returns ErrIncompatible for an adapter that was made
// for another backbone, ErrPlugin for one whose plug-in cannot be used, and ErrOutOfMemory for one above the budget. The
// caller closes it; closing the Backbone does too.
func (bb *Backbone) LoadAdapter(ctx context.Context, path string) (*Adapter, error) {
	a, err := adapter.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return nil, errors.Wrap(err, "adapter file")
	}
	r, err := bb.useAdapter(ctx, a, path)
	return r, errors.WithMessage(err, path)
}

// UseAdapter makes a resident, for adapters that are already in memory such as the result of Tune.
func (bb *Backbone) UseAdapter(ctx context.Context, a *adapter.Adapter) (*Adapter, error) {
	return bb.useAdapter(ctx, a, "")
}

func (bb *Backbone) useAdapter(ctx context.Context, a *adapter.Adapter, path string) (*Adapter, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	v, err := bb.newVersion(ctx, a, path)
	if err != nil {
		return nil, err
	}
	r := &Adapter{bb: bb, path: path}
	r.now.Store(v)
	bb.mu.Lock()
	bb.adapters = append(bb.adapters, r)
	bb.mu.Unlock()
	return r, nil
}

// Labels are the class names, in the order of the scores.
func (a *Adapter) Labels() []string { return a.now.Load().config().Labels }

// Host is the adapter in host memory, as its file holds it. Where it is paged out its file is read again, with the errors that
// WithAdapterHostBudget names.
func (a *Adapter) Host() (*adapter.Adapter, error) {
	v := a.now.Load()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.host()
}

// Reload reads the adapter's file again and publishes what it holds, as Replace does. Where the file cannot be used, the
// present version stays. It returns ErrInput for an adapter that came from memory.
func (a *Adapter) Reload(ctx context.Context) error {
	if a.path == "" {
		return errors.WithMessage(ErrInput, "the adapter has no file to reload")
	}
	host, err := adapter.ReadFile(a.path)
	if err != nil {
		return err
	}
	return errors.WithMessage(a.replace(ctx, host, a.path), a.path)
}

// Replace publishes host as a's new version: calls that begin afterwards see it, those under way finish with the version
// that they began with, and Replace waits for them. The new version may differ in everything. Where it cannot be used,
// Replace returns what UseAdapter does and the present version stays.
func (a *Adapter) Replace(ctx context.Context, host *adapter.Adapter) error {
	return a.replace(ctx, host, "")
}

func (a *Adapter) replace(ctx context.Context, host *adapter.Adapter, path string) error {
	leave, err := a.bb.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now.Load().isClosed() { // with a, as mu is held
		return errors.WithMessage(ErrClosed, "adapter")
	}
	v, err := a.bb.newVersion(ctx, host, path)
	if err != nil {
		return err
	}
	return a.now.Swap(v).close(a.bb)
}

// enter begins a call with a, which may be nil, and returns the version for all of the call.
func (a *Adapter) enter(bb *Backbone) (v *version, leave func(), err error) {
	if a == nil {
		return nil, func() {}, nil
	}
	if a.bb != bb {
		return nil, nil, errors.WithMessage(ErrIncompatible, "the adapter is resident beside another backbone")
	}
	for {
		v := a.now.Load()
		ok, err := v.enter()
		if err != nil && a.now.Load() == v {
			return nil, nil, err
		}
		if ok {
			return v, v.leave, nil
		}
		if err == nil && a.now.Load() == v { // not replaced: closed with its adapter
			return nil, nil, errors.WithMessage(ErrClosed, "adapter")
		}
	}
}

// Close frees the adapter after the calls under way. Idempotent.
func (a *Adapter) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bb.mu.Lock()
	a.bb.adapters = slices.DeleteFunc(a.bb.adapters, func(x *Adapter) bool { return x == a })
	a.bb.mu.Unlock()
	return a.now.Load().close(a.bb)
}
