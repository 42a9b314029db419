//go:build linux && !android && cgo && !novulkan

package vulkan

import (
	"time"
	"unsafe"

	vk "github.com/vulkan-go/vulkan"
)

// Span is when a command ran, from the beginning of the run on.
type Span struct{ Start, Took time.Duration }

// timing is what a timed Recording has besides: the queue's clock, read before the first and after each command of a segment,
// or where the queue has none, a segment for each command and the host's clock.
type timing struct {
	clocked bool // by the queue
	mask    uint64
	period  float64 // nanoseconds a tick

	pool  vk.QueryPool // of one query more a segment than it has commands
	cuts  [][2]int     // by segment: its commands
	spans []Span       // by command, of the last run
}

// Time makes each run of the recording note when each of its commands ran, for Spans; it is to be called before the first
// command. Commands then wait for each other, which some would not have to: their times do not overlap, and add up to a
// little more than an untimed run takes.
func (r *Recorder) Time() { r.timed = true }

// newTiming is nil for a recording that is not timed.
func (r *Recorder) newTiming() *timing {
	if !r.timed {
		return nil
	}
	p := r.d.physical
	t := &timing{clocked: p.timestampBits > 0 && p.timestampPeriod > 0, period: p.timestampPeriod, spans: make([]Span, len(r.commands))}
	t.mask = 1<<p.timestampBits - 1 // a shift by 64 leaves 0 - 1: all bits
	return t
}

// limit is the length of a segment: that of one command without a queue's clock.
func (t *timing) limit(usual time.Duration) time.Duration {
	if t != nil && !t.clocked {
		return 0
	}
	return usual
}

// query is the number of a segment's first query.
func (t *timing) query(segment int) uint32 { return uint32(t.cuts[segment][0] + segment) }

// prepare makes the queries.
func (t *timing) prepare(d *Device, cuts [][2]int) error {
	if t == nil {
		return nil
	}
	t.cuts = cuts
	if !t.clocked || len(cuts) == 0 {
		return nil
	}
	info := vk.QueryPoolCreateInfo{SType: vk.StructureTypeQueryPoolCreateInfo, QueryType: vk.QueryTypeTimestamp, QueryCount: uint32(len(t.spans) + len(cuts))}
	defer info.Free()
	var pool vk.QueryPool
	if err := call("vkCreateQueryPool", vk.CreateQueryPool(d.handle, &info, nil, &pool)); err != nil {
		return err
	}
	t.pool = pool
	return nil
}

// begin reads the clock before a segment's first command.
func (t *timing) begin(cb vk.CommandBuffer, segment int) {
	if t == nil || !t.clocked {
		return
	}
	cut := t.cuts[segment]
	vk.CmdResetQueryPool(cb, t.pool, t.query(segment), uint32(cut[1]-cut[0]+1))
	t.stamp(cb, t.query(segment))
}

// after reads it when the command has finished.
func (t *timing) after(cb vk.CommandBuffer, segment, command int) {
	if t == nil || !t.clocked {
		return
	}
	t.stamp(cb, t.query(segment)+uint32(command-t.cuts[segment][0]+1))
}

func (t *timing) stamp(cb vk.CommandBuffer, query uint32) {
	vk.CmdWriteTimestamp(cb, vk.PipelineStageBottomOfPipeBit, t.pool, query)
}

// submitted notes the host's time of a segment.
func (t *timing) submitted(segment int, start, end time.Duration) {
	if t == nil || t.clocked {
		return
	}
	cut := t.cuts[segment]
	for i := cut[0]; i < cut[1]; i++ { // one
		t.spans[i] = Span{start, end - start}
	}
}

// collect reads what the queue's clock said in a run that has finished.
func (t *timing) collect(d *Device) error {
	if t == nil || !t.clocked || len(t.cuts) == 0 {
		return nil
	}
	ticks := make([]uint64, len(t.spans)+len(t.cuts))
	flags := vk.QueryResultFlags(vk.QueryResult64Bit) // the fence was waited for: whatever is not there yet never comes
	err := call("vkGetQueryPoolResults", vk.GetQueryPoolResults(d.handle, t.pool, 0, uint32(len(ticks)), uint(8*len(ticks)), unsafe.Pointer(&ticks[0]), 8, flags))
	if err != nil {
		return err
	}
	for s, cut := range t.cuts {
		first := t.query(s)
		for i := cut[0]; i < cut[1]; i++ {
			from, to := ticks[first+uint32(i-cut[0])], ticks[first+uint32(i-cut[0]+1)]
			t.spans[i] = Span{t.between(ticks[0], from), t.between(from, to)}
		}
	}
	return nil
}

// between is the time from one reading of the clock, which may begin anew at its last bit, to a later one.
func (t *timing) between(from, to uint64) time.Duration {
	n := (to - from) & t.mask
	if n > t.mask/2 { // not later after all
		return 0
	}
	return time.Duration(float64(n) * t.period)
}

func (t *timing) destroy(d *Device) {
	if t != nil {
		vk.DestroyQueryPool(d.handle, t.pool, nil)
	}
}

// Spans are the times of the commands, in the order of Plan, in the last run that went well; clocked tells whether the queue's
// clock gave them, or the host's, which also counts the submission of each. They are nil for a recording that is not timed.
func (rec *Recording) Spans() (spans []Span, clocked bool) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.timing == nil {
		return nil, false
	}
	return append([]Span(nil), rec.timing.spans...), rec.timing.clocked
}
