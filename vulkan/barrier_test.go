package vulkan

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func read(buffer uint64, start, end int) use { return use{buffer: buffer, start: start, end: end} }

func write(buffer uint64, start, end int) use {
	return use{buffer: buffer, start: start, end: end, write: true}
}

func TestHazards(t *testing.T) {
	tests := []struct {
		name     string
		commands [][]use
		want     string // one character a command: B where a barrier precedes it
	}{
		{"read after read", [][]use{{read(1, 0, 8)}, {read(1, 0, 8)}}, ".."},
		{"read after write", [][]use{{write(1, 0, 8)}, {read(1, 4, 5)}}, ".B"},
		{"write after read", [][]use{{read(1, 0, 8)}, {write(1, 7, 9)}}, ".B"},
		{"write after write", [][]use{{write(1, 0, 8)}, {write(1, 0, 8)}}, ".B"},
		{"neighbours", [][]use{{write(1, 0, 8)}, {read(1, 8, 16)}, {write(1, 16, 20)}}, "..."},
		{"other buffer", [][]use{{write(1, 0, 8)}, {read(2, 0, 8)}}, ".."},
		{"in place", [][]use{{read(1, 0, 8), write(1, 0, 8)}, {read(1, 0, 8), write(1, 0, 8)}}, ".B"},
		{"a barrier covers all before it", [][]use{{write(1, 0, 8)}, {write(2, 0, 8)}, {read(1, 0, 8)}, {read(2, 0, 8)}}, "..B."},
		{"a barrier forgets only what precedes it", [][]use{{write(1, 0, 8)}, {read(1, 0, 8), write(2, 0, 8)}, {read(1, 0, 8)}, {read(2, 0, 8)}}, ".B.B"},
		{"reader kept across others", [][]use{{read(1, 0, 8)}, {read(2, 0, 8)}, {write(1, 0, 1)}}, "..B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h hazards
			got := ""
			for _, c := range tt.commands {
				got += map[bool]string{true: "B", false: "."}[h.next(c)]
			}
			if got != tt.want {
				t.Errorf("got %s, expected %s", got, tt.want)
			}
		})
	}
}

// TestHazardsOrderEveryConflict: between any two commands that conflict stands a barrier, and none is there without
// a conflict since the one before.
func TestHazardsOrderEveryConflict(t *testing.T) {
	drawUse := rapid.Custom(func(t *rapid.T) use {
		start := rapid.IntRange(0, 6).Draw(t, "start")
		return use{rapid.Uint64Range(1, 2).Draw(t, "buffer"), start, start + rapid.IntRange(1, 3).Draw(t, "size"), rapid.Bool().Draw(t, "write")}
	})
	overlap := func(x, y []use) bool {
		for _, a := range x {
			for _, b := range y {
				for i := a.start; i < a.end; i++ {
					if a.buffer == b.buffer && i >= b.start && i < b.end && (a.write || b.write) {
						return true
					}
				}
			}
		}
		return false
	}
	rapid.Check(t, func(t *rapid.T) {
		commands := rapid.SliceOfN(rapid.SliceOfN(drawUse, 1, 3), 1, 12).Draw(t, "commands")
		var h hazards
		last := 0 // first command after the latest barrier
		for i, c := range commands {
			conflict := false
			for _, earlier := range commands[last:i] {
				conflict = conflict || overlap(earlier, c)
			}
			if got := h.next(c); got != conflict {
				t.Fatalf("command %d: barrier %v, conflict %v", i, got, conflict)
			}
			if conflict {
				last = i
			}
		}
	})
}

func TestSegments(t *testing.T) {
	tests := []struct {
		barriers string
		length   int
		want     string
	}{
		{"", 2, "[]"},
		{".", 2, "[[0 1]]"},
		{".B.B.B", 2, "[[0 3] [3 5] [5 6]]"},
		{".........", 2, "[[0 4] [4 8] [8 9]]"},
		{"BBBB", 1, "[[0 1] [1 2] [2 3] [3 4]]"},
	}
	for _, tt := range tests {
		barriers := make([]bool, len(tt.barriers))
		for i, c := range tt.barriers {
			barriers[i] = c == 'B'
		}
		if got := fmt.Sprint(segments(barriers, tt.length)); got != tt.want {
			t.Errorf("%q by %d: %s, expected %s", tt.barriers, tt.length, got, tt.want)
		}
	}
}
