//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
)

// timedScales compiles y = 2 (2 x), timed, and runs it.
func timedScales(t *testing.T, d *device) (backend.Timed, []string) {
	t.Helper()
	r := backend.NewRecorder()
	x := r.Input("x", 1<<16)
	r.Output(r.Scale(r.Scale(x, 2), 2), "y")
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.CompileTimed(p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return e, e.(timed).rec.Plan()
}

// TestTimedKernels: the names are those of the recording's commands.
func TestTimedKernels(t *testing.T) {
	e, plan := timedScales(t, openHere(t, Options{Untested: true}))
	spans := e.Spans()
	if len(spans) != len(plan) || len(spans) < 2 {
		t.Fatalf("%d spans of %q", len(spans), plan)
	}
	for i, s := range spans {
		if got := strings.TrimPrefix(plan[i], "barrier "); !strings.HasPrefix(got, s.Kernel+"[") && !strings.HasPrefix(got, s.Kernel+" ") {
			t.Errorf("span %d is of %s, the command is %s", i, s.Kernel, got)
		}
		if s.Took <= 0 {
			t.Errorf("%s took %v", s.Kernel, s.Took)
		}
	}
	if last := spans[len(spans)-1]; last.Op != 1 {
		t.Errorf("the last is operator %d's, expected 1", last.Op)
	}
}

// TestTimedWithoutClock: a queue without timestamps is no obstacle, and is told.
func TestTimedWithoutClock(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	c.Clockless()
	e, _ := timedScales(t, openHere(t, Options{Untested: true}))
	for _, s := range e.Spans() {
		if s.Took <= 0 {
			t.Errorf("%s took %v", s.Kernel, s.Took)
		}
	}
	if !strings.Contains(e.Clock(), "a submission for each kernel") {
		t.Errorf("clock %q", e.Clock())
	}
}
