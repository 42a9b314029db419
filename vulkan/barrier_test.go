package vulkan

import (
	"fmt"
	"testing"
	"time"

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
		barriers, times string // a digit a command
		limit           time.Duration
		want            string
	}{
		{"", "", 2, "[]"},
		{".", "1", 2, "[[0 1]]"},
		{".B.B.B", "111111", 3, "[[0 3] [3 6]]"},
		{".........", "111111111", 4, "[[0 4] [4 8] [8 9]]"},
		{"BBBB", "1111", 1, "[[0 1] [1 2] [2 3] [3 4]]"},
		{"BBBB", "9119", 4, "[[0 1] [1 3] [3 4]]"}, // a command beyond the limit is alone
		{".B....", "111111", 4, "[[0 4] [4 6]]"},   // the barrier comes too early
		{".B..B.", "111111", 9, "[[0 6]]"},         // all fits
		{"..B..", "11229", 6, "[[0 4] [4 5]]"},     // what is left after a cut is counted again
	}
	for _, tt := range tests {
		barriers, times := make([]bool, len(tt.barriers)), make([]time.Duration, len(tt.times))
		for i := range barriers {
			barriers[i], times[i] = tt.barriers[i] == 'B', time.Duration(tt.times[i]-'0')
		}
		if got := fmt.Sprint(segments(barriers, times, tt.limit)); got != tt.want {
			t.Errorf("%q %s by %d: %s, expected %s", tt.barriers, tt.times, tt.limit, got, tt.want)
		}
	}
}

// TestSegmentsCoverAll: segments follow each other without gaps, and none takes longer than the limit unless it is one command.
func TestSegmentsCoverAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		barriers := rapid.SliceOfN(rapid.Bool(), 0, 40).Draw(t, "barriers")
		times := make([]time.Duration, len(barriers))
		for i := range times {
			times[i] = time.Duration(rapid.IntRange(1, 12).Draw(t, "time"))
		}
		limit := time.Duration(rapid.IntRange(1, 30).Draw(t, "limit"))
		end := 0
		for _, s := range segments(barriers, times, limit) {
			var spent time.Duration
			for _, d := range times[s[0]:s[1]] {
				spent += d
			}
			if s[0] != end || s[1] <= s[0] || spent > limit && s[1] > s[0]+1 {
				t.Fatalf("segment %v after %d takes %d of %d", s, end, spent, limit)
			}
			end = s[1]
		}
		if end != len(times) {
			t.Fatalf("%d of %d commands", end, len(times))
		}
	})
}
