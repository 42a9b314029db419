package profile

import (
	"bufio"
	"encoding/json"
	"io"
	"time"

	"github.com/pkg/errors"
)

// traceEvent is an entry of Chrome's trace format: "X" for something that lasts, "M" for a name. Times are in microseconds.
// Source: Trace Event Format, the Chromium project.
type traceEvent struct {
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	Phase string         `json:"ph"`
	Start float64        `json:"ts"`
	Took  float64        `json:"dur,omitempty"`
	PID   int            `json:"pid"`
	TID   int            `json:"tid"`
	Args  map[string]any `json:"args,omitempty"`
}

// The two rows of a trace.
const operatorTrack, kernelTrack = 1, 2

// WriteTrace writes the pass as a Chrome trace, for chrome://tracing or ui.perfetto.dev: a row of operators over a row of
// their kernels. device names the process.
func (p *Profile) WriteTrace(w io.Writer, device string) error {
	events := []traceEvent{
		named("process_name", 0, device), named("thread_name", operatorTrack, "operators"), named("thread_name", kernelTrack, "kernels"),
	}
	for i, e := range p.Events {
		if first := i == 0 || e.Op != p.Events[i-1].Op; first && e.Op >= 0 {
			end := e.Start
			for _, k := range p.Events[i:] {
				if k.Op != e.Op {
					break
				}
				end = k.Start + k.Took
			}
			args := map[string]any{"size": e.Size, "bytes": e.Work.Bytes}
			if e.Work.MACs > 0 {
				args["multiply_adds"] = e.Work.MACs
			}
			events = append(events, traceEvent{Name: e.Operator, Cat: "operator", Phase: "X", Start: us(e.Start), Took: us(end - e.Start), PID: 1, TID: operatorTrack, Args: args})
		}
		events = append(events, traceEvent{Name: e.Kernel, Cat: e.Operator, Phase: "X", Start: us(e.Start), Took: us(e.Took), PID: 1, TID: kernelTrack})
	}
	buffered := bufio.NewWriter(w)
	enc := json.NewEncoder(buffered)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(map[string]any{"traceEvents": events, "displayTimeUnit": "ms", "otherData": map[string]any{"clock": p.Clock}}); err != nil {
		return errors.Wrap(err, "trace")
	}
	return errors.Wrap(buffered.Flush(), "trace")
}

func named(what string, tid int, name string) traceEvent {
	return traceEvent{Name: what, Phase: "M", PID: 1, TID: tid, Args: map[string]any{"name": name}}
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
