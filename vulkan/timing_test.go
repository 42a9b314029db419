//go:build linux && !android && cgo && !novulkan

package vulkan_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/vulkan"
	"github.com/edgeadapt/edgeadapt/vulkan/faulttest"
	"github.com/edgeadapt/edgeadapt/vulkan/vulkantest"
)

// timed runs a short and a long command and a copy, twice, and gives the times of the second run beside the host's.
func timed(t *testing.T, d *vulkan.Device, n int) (rec *vulkan.Recording, spans []vulkan.Span, clocked bool, wall time.Duration) {
	t.Helper()
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(n, 1)), buffer(t, d, "y", vulkan.DeviceLocal, make([]float32, n))
	z := buffer(t, d, "z", vulkan.DeviceLocal, make([]float32, n))
	k := kernel(t, d, "axpy")
	r := d.NewRecorder()
	r.Time()
	r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(64, 1), 1, 1, 1)
	r.Estimate(vulkan.SegmentTime - time.Millisecond) // with the first just in one submission
	r.Dispatch(k, []vulkan.Range{whole(x), whole(z)}, push(n, 1), groups(n), 1, 1)
	r.Copy(whole(y), whole(z))
	rec = finish(t, r)
	t.Cleanup(func() { rec.Close() })
	run(t, rec)
	began := time.Now()
	run(t, rec)
	wall = time.Since(began)
	expect(t, y, func(i int) float32 { return 2 * float32(i%1000+1) })
	spans, clocked = rec.Spans()
	return rec, spans, clocked, wall
}

// checkSpans: one follows the other, within the run.
func checkSpans(t *testing.T, spans []vulkan.Span, wall time.Duration) {
	t.Helper()
	if len(spans) != 3 {
		t.Fatalf("%d spans of 3 commands", len(spans))
	}
	end := time.Duration(0)
	for i, s := range spans {
		if s.Start < end || s.Took < 0 {
			t.Errorf("command %d from %v for %v, the one before ended at %v", i, s.Start, s.Took, end)
		}
		end = s.Start + s.Took
	}
	if end > wall || spans[1].Took == 0 {
		t.Errorf("%v: ended after %v of a run of %v", spans, end, wall)
	}
}

// TestSpans: by the queue's clock. Each command waits for the one before, whatever they touch.
func TestSpans(t *testing.T) {
	d := vulkantest.Device(t)
	const n = 1 << 18
	rec, spans, clocked, wall := timed(t, d, n)
	checkSpans(t, spans, wall)
	if !clocked { // as TestSpansWithoutClock has it
		checkUnclocked(t, rec)
		return
	}
	if want := []string{"axpy[64] 1x1x1", "barrier axpy[64] 4096x1x1", "barrier copy 1048576 bytes"}; !slices.Equal(rec.Plan(), want) {
		t.Errorf("plan %q, expected %q", rec.Plan(), want)
	}
	if rec.Segments() != 2 {
		t.Errorf("%d submissions; a clocked recording is cut like any other, here into 2", rec.Segments())
	}
	// 262,144 elements, and 64: the least of several runs, as any may be held up.
	least := [2]time.Duration{spans[0].Took, spans[1].Took}
	for range 20 {
		run(t, rec)
		spans, _ = rec.Spans()
		for i := range least {
			least[i] = min(least[i], spans[i].Took)
		}
	}
	if least[1] <= least[0] {
		t.Errorf("%v: the long command took no longer than the short one", least)
	}
}

// TestUntimed: a recording that nobody asked to time has nothing of it.
func TestUntimed(t *testing.T) {
	d := vulkantest.Device(t)
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(7, 1)), buffer(t, d, "y", vulkan.DeviceLocal, ramp(7, 1))
	r := d.NewRecorder()
	r.Dispatch(kernel(t, d, "axpy"), []vulkan.Range{whole(x), whole(y)}, push(7, 1), 1, 1, 1)
	rec := finish(t, r)
	run(t, rec)
	if spans, _ := rec.Spans(); spans != nil {
		t.Errorf("%v", spans)
	}
}

// TestClockWraps: a clock of few bits begins anew.
func TestClockWraps(t *testing.T) {
	for _, c := range []struct {
		bits     uint
		from, to uint64
		want     time.Duration
	}{
		{64, 5, 7, 20}, {64, 1<<64 - 1, 1, 20}, {36, 1<<36 - 1, 1, 20}, {36, 1<<36 - 1 | 1<<40, 1, 20}, {36, 7, 5, 0}, {36, 0, 1 << 30, 10 << 30},
	} {
		if got := vulkan.TicksBetween(c.bits, 10, c.from, c.to); got != c.want {
			t.Errorf("%d bits, %d to %d: %v, expected %v", c.bits, c.from, c.to, got, c.want)
		}
	}
}

// TestSpansWithoutClock: where queues have none each command is submitted by itself and the host's clock serves.
func TestSpansWithoutClock(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	c.Clockless()
	rec, spans, clocked, wall := timed(t, vulkantest.Device(t), 1<<18)
	if clocked {
		t.Error("the queue has a clock after all")
	}
	checkUnclocked(t, rec)
	checkSpans(t, spans, wall)
}

// checkUnclocked: each of three commands is a submission.
func checkUnclocked(t *testing.T, rec *vulkan.Recording) {
	t.Helper()
	if rec.Segments() != 3 {
		t.Errorf("%d submissions, expected one a command", rec.Segments())
	}
}

// TestTimingFails: queries that cannot be made, or read, are an error, and nothing is left of them.
func TestTimingFails(t *testing.T) {
	c := faulttest.Start(t)
	if c == nil {
		return
	}
	d := vulkantest.Device(t)
	x, y := buffer(t, d, "x", vulkan.DeviceLocal, ramp(7, 1)), buffer(t, d, "y", vulkan.DeviceLocal, ramp(7, 1))
	k := kernel(t, d, "axpy")
	for _, call := range []string{"vkCreateQueryPool", "vkGetQueryPoolResults"} {
		c.Fail(call, 0, faulttest.OutOfDeviceMemory)
		r := d.NewRecorder()
		r.Time()
		r.Dispatch(k, []vulkan.Range{whole(x), whole(y)}, push(7, 1), 1, 1, 1)
		rec, err := r.Finish()
		if err == nil {
			err = rec.Run(context.Background())
			rec.Close()
		}
		if !errors.Is(err, vulkan.ErrOutOfMemory) || c.Hits() != 1 {
			t.Errorf("%s: %v after %d faults", call, err, c.Hits())
		}
		if live := c.Live(); strings.Contains(live, "query pool") {
			t.Errorf("%s left %s", call, live)
		}
	}
}
