//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"slices"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// timed is an executable whose recording notes when its commands ran.
type timed struct{ *executable }

// CompileTimed implements backend.Profiler.
func (d *device) CompileTimed(p *backend.Program) (backend.Timed, error) {
	e, err := d.compileTrusted(p, true)
	if err != nil {
		return nil, err
	}
	return timed{e}, nil
}

// Spans implements backend.Timed.
func (t timed) Spans() []backend.Span {
	spans := slices.Clone(t.spans)
	times, _ := t.rec.Spans()
	for i := range spans {
		spans[i].Start, spans[i].Took = times[i].Start, times[i].Took
	}
	return spans
}

// Clock implements backend.Timed.
func (t timed) Clock() string {
	if _, clocked := t.rec.Spans(); clocked {
		return "timestamps of the device's queue"
	}
	return "the system's clock around a submission for each kernel, as the device's queue has none"
}
