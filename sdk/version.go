package sdk

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
)

// version is what an Adapter names at a time: parameters and a plug-in. A call works with one version to its end.
type version struct {
	task   *nn.Resident
	plugin *plugin.Plugin // nil: none
	file   *adapterFile   // nil: it came from memory, and stays there
	pages  *pages
	used   atomic.Uint64 // pages.clock at the last use

	mu     sync.Mutex
	calls  int // under way
	closed bool
	idle   sync.Cond // no calls
}

// enter begins a call; false says that v is closed. It waits for nothing but v's file, where v is paged out: a call may enter
// many versions in any order.
func (v *version) enter() (bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false, nil
	}
	if _, err := v.host(); err != nil {
		return false, err
	}
	v.calls++
	v.used.Store(v.pages.clock.Add(1))
	return true, nil
}

func (v *version) isClosed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.closed
}

func (v *version) leave() {
	v.mu.Lock()
	if v.calls--; v.calls == 0 {
		v.idle.Broadcast()
	}
	v.mu.Unlock()
	v.pages.trim()
}

// newVersion checks a, compiles its plug-in and brings its parameters to the device. path is the file that a was read from,
// empty for one from memory.
func (bb *Backbone) newVersion(ctx context.Context, a *adapter.Adapter, path string) (*version, error) {
	if err := bb.rt.trust(a); err != nil {
		return nil, err
	}
	if err := a.CheckBackbone(bb.host.Config().Ref()); err != nil {
		return nil, err
	}
	t, err := bb.net.Load().vit.NewResident(a)
	if err != nil {
		return nil, err
	}
	v := &version{task: t, pages: &bb.pages}
	v.idle.L = &v.mu
	if path != "" && bb.pages.budget > 0 {
		digest, err := a.Digest()
		if err != nil {
			return nil, err
		}
		v.file = &adapterFile{path, digest}
	}
	plug, err := bb.rt.loadPlugin(ctx, a)
	if err != nil {
		return nil, err
	}
	if err := bb.withMixer(ctx, func(m *nn.Mixer) error { return m.Load(t) }); err != nil {
		plug.Close()
		return nil, err
	}
	v.plugin = plug
	v.used.Store(bb.pages.clock.Add(1))
	bb.pages.add(v)
	bb.pages.trim()
	return v, nil
}

// close lets no further call in and frees v after those under way. Idempotent.
func (v *version) close(bb *Backbone) error {
	v.mu.Lock()
	done := v.closed
	v.closed = true
	for v.calls > 0 {
		v.idle.Wait()
	}
	v.mu.Unlock()
	if done {
		return nil
	}
	v.pages.remove(v)
	v.plugin.Close()
	return bb.withMixer(context.Background(), func(m *nn.Mixer) error { m.Drop(v.task); return nil })
}

// config is the adapter's configuration.
func (v *version) config() adapter.Config { return v.task.Config() }

// resident is what a Mixer takes: nil for plain features.
func (v *version) resident() *nn.Resident {
	if v == nil {
		return nil
	}
	return v.task
}

// versions are those that a call has entered, one for each adapter that it names.
type versions map[*Adapter]*version

// enter gives the version of a, nil for nil, that the call works with.
func (vs versions) enter(a *Adapter, bb *Backbone) (*version, error) {
	if v, ok := vs[a]; ok || a == nil {
		return v, nil
	}
	v, _, err := a.enter(bb)
	if err == nil {
		vs[a] = v
	}
	return v, err
}

// leave ends the call.
func (vs versions) leave() {
	for _, v := range vs {
		v.leave()
	}
}
