//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"sync"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// rates are what an ordinary device of a kind reaches with our kernels on small matrices.
type rates struct {
	macs, bytes float64 // a second
	dispatch    time.Duration
}

var ratesOf = map[string]rates{
	"software":   {2e9, 4e9, 200 * time.Microsecond},
	"integrated": {30e9, 8e9, 30 * time.Microsecond}, // a small board's; a notebook's does ten times that
	"discrete":   {500e9, 100e9, 10 * time.Microsecond},
}

// pace estimates how long operators take on a device: by its kind at first, then by what runs have taken.
// Safe for concurrent use.
type pace struct {
	rates
	mu     sync.Mutex
	factor float64 // by which the rates are wrong
}

func newPace(kind string) *pace {
	r, ok := ratesOf[kind]
	if !ok {
		r = ratesOf["integrated"]
	}
	return &pace{rates: r, factor: 1}
}

// of is the estimate for an operator.
func (c *pace) of(w backend.Work) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.factor*float64(c.plain(w))) + c.dispatch
}

// plain is the estimate by the kind alone, without the cost of a dispatch.
func (c *pace) plain(w backend.Work) time.Duration {
	return time.Duration(max(float64(w.MACs)/c.macs, float64(w.Bytes)/c.bytes) * float64(time.Second))
}

// Bounds of what a run may teach: short ones consist of other things, and a machine that slept learns nothing from that.
const (
	shortestLesson = 2 * time.Millisecond
	mostFactor     = 64
)

// learn takes in that a run, estimated by the kind alone, took so long. A device that turns out slower is believed at once,
// one that is faster little by little: its first runs may have been small ones.
func (c *pace) learn(plain, took time.Duration) {
	if plain < shortestLesson || took < shortestLesson {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := min(max(float64(took)/float64(plain), 1./mostFactor), mostFactor)
	if now < c.factor {
		now = c.factor + (now-c.factor)/4
	}
	c.factor = now
}
