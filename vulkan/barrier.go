package vulkan

import "time"

// use is one access of a command to bytes [start, end) of a buffer.
type use struct {
	buffer     uint64 // identity of the buffer; distinct buffers never share memory
	start, end int
	write      bool
}

// hazards decides where a recording needs barriers. One barrier orders everything before it against everything
// after it, so only the uses since the last one matter.
type hazards struct{ since []use }

// next takes the uses of the next command and tells whether a barrier must precede it: it reads what was written
// (RAW), writes what was read (WAR) or writes what was written (WAW) since the last barrier. Uses within one command
// never conflict: how invocations share a range is the kernel's own affair.
func (h *hazards) next(uses []use) bool {
	needed := h.conflict(uses)
	if needed {
		h.since = h.since[:0]
	}
	h.since = append(h.since, uses...)
	return needed
}

func (h *hazards) conflict(uses []use) bool {
	for _, a := range h.since {
		for _, b := range uses {
			if a.buffer == b.buffer && (a.write || b.write) && a.start < b.end && b.start < a.end {
				return true
			}
		}
	}
	return false
}

// segmentTime is the estimated time after which a recording is cut into a further submission, so that a context can end a
// run between them, the screen gets its turn, and the watchdogs of small GPUs, the strictest of which wait for 500 ms, stay
// quiet even where the estimate is several times too low.
const segmentTime = 50 * time.Millisecond

// unknownTime is what a command without an estimate counts for: a dispatch of a small network on a slow device.
const unknownTime = time.Millisecond

// segments cuts commands that take these times into runs [start, end) that take at most limit, or consist of one command.
// Of the places where a run may end it takes the last that has a barrier anyway, as every segment begins with one, if the run
// is then at least half as long.
func segments(barriers []bool, times []time.Duration, limit time.Duration) [][2]int {
	var cuts [][2]int
	start, at, spent, before := 0, 0, time.Duration(0), time.Duration(0) // at: the last barrier; before: the time until there
	for i, t := range times {
		if barriers[i] {
			at, before = i, spent
		}
		for i > start && spent+t > limit {
			if at <= start || before < limit/2 {
				at, before = i, spent
			}
			cuts = append(cuts, [2]int{start, at})
			start, spent = at, spent-before
			before = 0
		}
		spent += t
	}
	if start < len(times) {
		cuts = append(cuts, [2]int{start, len(times)})
	}
	return cuts
}
