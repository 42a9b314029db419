package vulkan

import "slices"

// span is bytes [start, end) of a block.
type span struct{ start, end int }

// arena divides one block of device memory. Not safe for concurrent use.
type arena struct {
	size int
	free []span // ascending, not empty, never adjacent
}

func newArena(size int) *arena { return &arena{size: size, free: []span{{0, size}}} }

// take finds the first free range of size bytes at a multiple of align.
func (a *arena) take(size, align int) (offset int, ok bool) {
	for i, f := range a.free {
		start := roundUp(f.start, align)
		if start+size > f.end {
			continue
		}
		var left []span
		if f.start < start {
			left = append(left, span{f.start, start})
		}
		if start+size < f.end {
			left = append(left, span{start + size, f.end})
		}
		a.free = slices.Replace(a.free, i, i+1, left...)
		return start, true
	}
	return 0, false
}

// give returns a range that take handed out. It panics on one that is free already: two owners of the same memory
// would otherwise corrupt each other's data later and elsewhere.
func (a *arena) give(offset, size int) {
	end := offset + size
	i, _ := slices.BinarySearchFunc(a.free, offset, func(s span, at int) int { return s.start - at })
	if i > 0 && a.free[i-1].end > offset || i < len(a.free) && a.free[i].start < end || end > a.size {
		panic("vulkan: memory freed twice")
	}
	merged := span{offset, end}
	from, to := i, i
	if i > 0 && a.free[i-1].end == offset {
		from, merged.start = i-1, a.free[i-1].start
	}
	if i < len(a.free) && a.free[i].start == end {
		to, merged.end = i+1, a.free[i].end
	}
	a.free = slices.Replace(a.free, from, to, merged)
}

func (a *arena) empty() bool { return len(a.free) == 1 && a.free[0] == span{0, a.size} }

// roundUp is the smallest multiple of m that is at least n; m > 0.
func roundUp(n, m int) int { return (n + m - 1) / m * m }

const (
	minBlockBytes = 4 << 20
	maxBlockBytes = 64 << 20
)

// blockBytes is the size of the next block when a request finds no room and reserved bytes are held already. Blocks
// double with use, so that a small program holds little and a large one few: the number of allocations is limited,
// to 4096 on many drivers. A request beyond the largest block gets one of its own.
func blockBytes(request, reserved int) int {
	return max(min(max(reserved, minBlockBytes), maxBlockBytes), roundUp(request, 1<<16))
}
