package sdk

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
	"github.com/pkg/errors"
)

// Backbone is a frozen Vision Transformer, resident on its Runtime's device and shared by all adapters made for it.
// Safe for concurrent use: calls with different adapters never disturb each other.
type Backbone struct {
	rt     *Runtime
	host   *model.Backbone
	owned  io.Closer // the file, where LoadBackbone opened it
	vit    *nn.ViT
	passes *passes

	use      sync.RWMutex // read by calls, written by Close
	closed   bool
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
	bb.use.RLock()
	if bb.closed {
		bb.use.RUnlock()
		return nil, errors.WithMessage(ErrClosed, "backbone")
	}
	return bb.use.RUnlock, nil
}

// Close frees the backbone and its adapters after the calls under way. Idempotent.
func (bb *Backbone) Close() error {
	bb.use.Lock() // waits for the calls under way
	done := bb.closed
	bb.closed = true
	bb.use.Unlock()
	if done {
		return nil
	}
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
	keep(bb.passes.drop(nil))
	keep(bb.vit.Close())
	if bb.owned != nil {
		keep(bb.owned.Close())
	}
	bb.rt.forget(bb)
	return first
}

// Adapter is an adapter resident beside a Backbone, to be named in any later call. Immutable; safe for concurrent use.
type Adapter struct {
	bb     *Backbone
	host   *adapter.Adapter
	task   *nn.Task
	plugin *plugin.Plugin // nil: none

	use    sync.RWMutex // read by calls, written by Close
	closed bool
}

// LoadAdapter reads an adapter file and makes it resident. It returns ErrIncompatible for an adapter that was made
// for another backbone, and ErrPlugin for one whose plug-in cannot be used. The caller closes it; closing the Backbone does too.
func (bb *Backbone) LoadAdapter(ctx context.Context, path string) (*Adapter, error) {
	a, err := adapter.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := bb.UseAdapter(ctx, a)
	return r, errors.WithMessage(err, path)
}

// UseAdapter makes a resident, for adapters that are already in memory such as the result of Tune.
func (bb *Backbone) UseAdapter(ctx context.Context, a *adapter.Adapter) (*Adapter, error) {
	leave, err := bb.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := bb.rt.trust(a); err != nil {
		return nil, err
	}
	if err := a.CheckBackbone(bb.host.Config().Ref()); err != nil {
		return nil, err
	}
	plug, err := bb.rt.loadPlugin(ctx, a)
	if err != nil {
		return nil, err
	}
	task, err := nn.NewTask(bb.vit, a)
	if err != nil {
		plug.Close()
		return nil, err
	}
	r := &Adapter{bb: bb, host: a, task: task, plugin: plug}
	bb.mu.Lock()
	bb.adapters = append(bb.adapters, r)
	bb.mu.Unlock()
	return r, nil
}

// Labels are the class names, in the order of the scores.
func (a *Adapter) Labels() []string { return a.host.Config().Labels }

// Host is the adapter as its file holds it.
func (a *Adapter) Host() *adapter.Adapter { return a.host }

// enter begins a call with a, which may be nil.
func (a *Adapter) enter(bb *Backbone) (leave func(), err error) {
	if a == nil {
		return func() {}, nil
	}
	if a.bb != bb {
		return nil, errors.WithMessage(ErrIncompatible, "the adapter is resident beside another backbone")
	}
	a.use.RLock()
	if a.closed {
		a.use.RUnlock()
		return nil, errors.WithMessage(ErrClosed, "adapter")
	}
	return a.use.RUnlock, nil
}

// Close frees the adapter after the calls under way. Idempotent.
func (a *Adapter) Close() error {
	a.use.Lock()
	defer a.use.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	a.bb.mu.Lock()
	a.bb.adapters = slices.DeleteFunc(a.bb.adapters, func(x *Adapter) bool { return x == a })
	a.bb.mu.Unlock()
	a.plugin.Close()
	err := a.bb.passes.drop(a.task)
	if e := a.task.Close(); e != nil && err == nil {
		err = e
	}
	return err
}
