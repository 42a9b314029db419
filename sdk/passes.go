package sdk

import (
	"slices"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
)

// maxPasses bounds the compiled passes that a backbone keeps. Each holds its own activations: 12 MB for one image of
// a ViT-S at 224 pixels.
const maxPasses = 16

// passes keeps compiled forward passes by configuration, the most recently used ones.
type passes struct {
	mu   sync.Mutex
	list []*entry // most recently used last
}

type passKey struct {
	batch, height, width int
	task                 *nn.Task
	pool                 string
	taps                 string
}

type entry struct {
	key  passKey
	fwd  *nn.Forward
	uses int
}

func newPasses() *passes { return &passes{} }

// use runs f with the pass for c, compiling it with v where it is not there yet.
func (p *passes) use(v *nn.ViT, c nn.ForwardConfig, f func(*nn.Forward) error) error {
	e, err := p.acquire(v, c)
	if err != nil {
		return err
	}
	defer p.release(e)
	return f(e.fwd)
}

func (p *passes) acquire(v *nn.ViT, c nn.ForwardConfig) (*entry, error) {
	key := passKey{batch: c.Batch, height: c.Height, width: c.Width, task: c.Task, pool: string(c.Pool), taps: strings.Join(c.Taps, ",")}
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.list {
		if e.key == key {
			p.list = append(slices.Delete(p.list, i, i+1), e)
			e.uses++
			return e, nil
		}
	}
	fwd, err := v.NewForward(c)
	if err != nil {
		return nil, err
	}
	e := &entry{key: key, fwd: fwd, uses: 1}
	p.list = append(p.list, e)
	p.evict(func(e *entry) bool { return len(p.list) > maxPasses })
	return e, nil
}

func (p *passes) release(e *entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.uses--
}

// evict closes idle passes that match, oldest first; p.mu is held.
func (p *passes) evict(match func(*entry) bool) (err error) {
	for i := 0; i < len(p.list); {
		e := p.list[i]
		if e.uses > 0 || !match(e) {
			i++
			continue
		}
		if e := e.fwd.Close(); e != nil && err == nil {
			err = e
		}
		p.list = slices.Delete(p.list, i, i+1)
	}
	return err
}

// drop closes the passes of a task, nil meaning all; none of them is in use.
func (p *passes) drop(t *nn.Task) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.evict(func(e *entry) bool { return t == nil || e.key.task == t })
}
