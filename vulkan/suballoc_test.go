package vulkan

import (
	"testing"

	"pgregory.net/rapid"
)

// TestArena: ranges are aligned, inside, never overlap, and the arena is whole again once all are given back.
func TestArena(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const size = 1000
		a := newArena(size)
		type owned struct{ offset, size int }
		var live []owned
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if len(live) > 0 && rapid.Bool().Draw(t, "give") {
				i := rapid.IntRange(0, len(live)-1).Draw(t, "which")
				a.give(live[i].offset, live[i].size)
				live = append(live[:i], live[i+1:]...)
				continue
			}
			n, align := rapid.IntRange(1, 300).Draw(t, "size"), 1<<rapid.IntRange(0, 6).Draw(t, "align")
			offset, ok := a.take(n, align)
			if !ok {
				continue
			}
			if offset%align != 0 || offset < 0 || offset+n > size {
				t.Fatalf("took %d bytes at %d, alignment %d", n, offset, align)
			}
			for _, o := range live {
				if offset < o.offset+o.size && o.offset < offset+n {
					t.Fatalf("[%d, %d) overlaps [%d, %d)", offset, offset+n, o.offset, o.offset+o.size)
				}
			}
			live = append(live, owned{offset, n})
		}
		used := 0
		for _, o := range live {
			used += o.size
		}
		for _, f := range a.free {
			used += f.end - f.start
		}
		if used != size {
			t.Fatalf("%d bytes live or free of %d", used, size)
		}
		for _, o := range live {
			a.give(o.offset, o.size)
		}
		if !a.empty() {
			t.Fatalf("not whole after the last give: %v", a.free)
		}
		if _, ok := a.take(size, 64); !ok {
			t.Fatal("an empty arena has no room for its own size")
		}
	})
}

func TestArenaRejectsSecondGive(t *testing.T) {
	a := newArena(100)
	offset, _ := a.take(10, 1)
	a.give(offset, 10)
	defer func() {
		if recover() == nil {
			t.Error("the second give of a range passed")
		}
	}()
	a.give(offset, 10)
}

func TestBlockBytes(t *testing.T) {
	const mib = 1 << 20
	tests := []struct{ request, reserved, want int }{
		{1, 0, 4 * mib}, {1, 4 * mib, 4 * mib}, {1, 8 * mib, 8 * mib}, {1, 1000 * mib, 64 * mib},
		{5 * mib, 0, 5 * mib}, {100*mib + 1, 0, 100*mib + 65536}, {64 * mib, 0, 64 * mib},
	}
	for _, tt := range tests {
		if got := blockBytes(tt.request, tt.reserved); got != tt.want {
			t.Errorf("blockBytes(%d, %d) = %d, expected %d", tt.request, tt.reserved, got, tt.want)
		}
	}
}
