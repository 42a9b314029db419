// Package profile finds out what the time of a pass goes to: operator by operator, kernel by kernel, beside what the device
// could do at best.
package profile

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/pkg/errors"
)

// Backend is a device whose Executables are timed. What is made from the one is good for the other, and it is closed by
// whoever made it. One goroutine at a time.
type Backend struct {
	backend.Backend
	timer  backend.Profiler
	began  time.Time
	clock  string
	events []Event
	ops    int // that have run since Start
}

// Event is one run of one kernel.
type Event struct {
	Operator string       // its word
	Size     string       // of its results, as "197x384 of 1536" where each is a sum over 1536 products
	Kernel   string       // as in backend.Span
	Op       int          // a number for the operator's run; -1 for none, such as a copy
	Work     backend.Work // of the whole operator
	Start    time.Duration
	Took     time.Duration
}

// New wraps a device. It returns ErrNoDevice where the device cannot tell times.
func New(be backend.Backend) (*Backend, error) {
	t, ok := be.(backend.Profiler)
	if !ok {
		return nil, errors.WithMessagef(backend.ErrNoDevice, "%s cannot time its kernels", be.Info().ID)
	}
	return &Backend{Backend: be, timer: t}, nil
}

// Start forgets what has run.
func (b *Backend) Start() { b.began, b.events, b.ops = time.Now(), nil, 0 }

// Events are the kernels that have run since Start, with times from Start on.
func (b *Backend) Events() []Event { return b.events }

// Clock says what measured the events.
func (b *Backend) Clock() string { return b.clock }

// Compile implements backend.Backend.
func (b *Backend) Compile(p *backend.Program) (backend.Executable, error) {
	t, err := b.timer.CompileTimed(p)
	if err != nil {
		return nil, err
	}
	b.clock = t.Clock()
	return &executable{t, b, p}, nil
}

type executable struct {
	backend.Timed
	b *Backend
	p *backend.Program
}

// Run implements backend.Executable.
func (e *executable) Run(ctx context.Context) error {
	start := time.Since(e.b.began)
	if err := e.Timed.Run(ctx); err != nil {
		return err
	}
	for _, s := range e.Spans() {
		event := Event{Operator: "copy", Kernel: s.Kernel, Op: -1, Start: start + s.Start, Took: s.Took}
		if s.Op >= 0 {
			op := e.p.Ops()[s.Op]
			event.Operator, event.Size, event.Op, event.Work = op.Name(), size(e.p, op), e.b.ops+s.Op, backend.Traffic(e.p, op)
		}
		e.b.events = append(e.b.events, event)
	}
	e.b.ops += len(e.p.Ops())
	return nil
}

// size describes the largest result of op, and how many products make one element of it.
func size(p *backend.Program, op backend.Op) string {
	var text []string
	most := 0
	for _, o := range op.Operands() {
		if s := p.Shape(o.Value); o.Access&backend.Write != 0 && s.Elems() > most {
			most, text = s.Elems(), nil
			for _, d := range s {
				text = append(text, fmt.Sprint(d))
			}
		}
	}
	out := strings.Join(text, "x")
	if macs := backend.Traffic(p, op).MACs; macs > 0 && most > 0 {
		out += fmt.Sprintf(" of %d", macs/int64(most))
	}
	return out
}
