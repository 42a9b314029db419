package checkpoint

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIdle: the pages of a mapped file leave the process, not the system's cache, and come back with what was in them. Those
// of a file in the process's own memory stay.
func TestIdle(t *testing.T) {
	const n = 1 << 20
	want := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	path := filepath.Join(t.TempDir(), "f.safetensors")
	header := fmt.Sprintf(`{"x":{"dtype":"I8","shape":[%d],"data_offsets":[0,%d]}}`, n, n)
	header += strings.Repeat(" ", -len(header)&7)
	file := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
	file = append(file, want...)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	mapped, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer mapped.Close()
	inMemory, err := Parse("memory", file)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		f    *File
		gone bool
	}{{mapped, true}, {inMemory, false}} {
		if !bytes.Equal(c.f.bytes, want) { // reads each page
			t.Fatal("the file is not what was written")
		}
		before := present(t, c.f.bytes)
		Idle(c.f, c.f.bytes)
		after := present(t, c.f.bytes)
		if pages := n / os.Getpagesize(); before < pages-1 || c.gone != (after <= 2) {
			t.Errorf("gone %v: %d of %d pages before, %d after", c.gone, before, pages, after)
		}
		if cached := cachedPages(t, c.f.bytes); c.gone && cached < before/2 {
			t.Errorf("%d of %d pages are left in the cache", cached, before)
		}
		if !bytes.Equal(c.f.bytes, want) {
			t.Error("what came back is not what was there")
		}
		Idle(c.f, append([]byte(nil), want...)) // no part of the file: stays
	}
	Idle[int8](nil, make([]int8, n))
}

// whole is the pages that lie in x from end to end.
func whole(x []byte) []byte {
	page := os.Getpagesize()
	skip := -int(address(x)) & (page - 1)
	return x[skip : skip+(len(x)-skip)&^(page-1)]
}

// present is how many pages of x this process has.
func present(t *testing.T, x []byte) (n int) {
	t.Helper()
	const entry, there = 8, 7 // bytes of an entry; of these, the one with bit 63
	page := os.Getpagesize()
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x = whole(x)
	table := make([]byte, len(x)/page*entry)
	if _, err := f.ReadAt(table, int64(address(x))/int64(page)*entry); err != nil {
		t.Fatal(err)
	}
	for i := there; i < len(table); i += entry {
		n += int(table[i] >> 7)
	}
	return n
}

// cachedPages is how many pages of x the system has in memory.
func cachedPages(t *testing.T, x []byte) (n int) {
	t.Helper()
	x = whole(x)
	found := make([]byte, len(x)/os.Getpagesize())
	if _, _, e := unix.Syscall(unix.SYS_MINCORE, address(x), uintptr(len(x)), address(found)); e != 0 {
		t.Fatal(e)
	}
	for _, f := range found {
		n += int(f & 1)
	}
	return n
}
