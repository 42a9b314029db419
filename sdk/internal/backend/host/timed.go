package host

import (
	"time"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// timed is an Executable whose steps note their time.
type timed[T ref.Float] struct {
	*Executable[T]
	began time.Time // of the run
	spans []backend.Span
}

// CompileTimed implements backend.Profiler.
func (b *Backend[T]) CompileTimed(p *backend.Program) (backend.Timed, error) {
	e, err := b.compile(p)
	if err != nil {
		return nil, err
	}
	t := &timed[T]{Executable: e, spans: make([]backend.Span, len(e.steps))}
	for i, run := range e.steps {
		t.spans[i] = backend.Span{Op: i, Kernel: e.kernelName(i)}
		e.steps[i] = func() error {
			now := time.Now()
			if i == 0 {
				t.began = now
			}
			err := run()
			t.spans[i].Start, t.spans[i].Took = now.Sub(t.began), time.Since(now)
			return err
		}
	}
	return t, nil
}

// kernelName is whose code runs operator i.
func (e *Executable[T]) kernelName(i int) string {
	if e.byRef[i] {
		return "reference"
	}
	return e.be.opt.Info.Driver
}

// Spans implements backend.Timed.
func (t *timed[T]) Spans() []backend.Span { return append([]backend.Span(nil), t.spans...) }

// Clock implements backend.Timed.
func (t *timed[T]) Clock() string { return "the system's clock around each operator" }
