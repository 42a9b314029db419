package vulkan

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

// segmentDispatches is the number of commands after which a recording is cut into a further submission, so that a
// context can end a run between them and watchdogs of small GPUs stay quiet. A block of a small ViT on a slow device
// takes about 1 ms a dispatch.
const segmentDispatches = 32

// segments cuts commands into runs [start, end). It waits for a command that has a barrier anyway, as every segment
// begins with one, but not beyond twice the length.
func segments(barriers []bool, length int) [][2]int {
	var cuts [][2]int
	start := 0
	for i := range barriers {
		if n := i - start; n >= 2*length || n >= length && barriers[i] {
			cuts = append(cuts, [2]int{start, i})
			start = i
		}
	}
	if start < len(barriers) {
		cuts = append(cuts, [2]int{start, len(barriers)})
	}
	return cuts
}
