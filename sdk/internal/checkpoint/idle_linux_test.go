package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestIdle: the pages of a mapped file leave the process, not the system's cache, and come back with what was in them. Those
// of a file in the process's own memory stay, and those of a private mapping, as an embedded file is, if they were changed.
func TestIdle(t *testing.T) {
	const n = 1 << 20
	content := bytes.Repeat([]byte("0123456789abcdef"), n/16)
	path := filepath.Join(t.TempDir(), "f.safetensors")
	header := fmt.Sprintf(`{"x":{"dtype":"I8","shape":[%d],"data_offsets":[0,%d]}}`, n, n)
	header += strings.Repeat(" ", -len(header)&7)
	file := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
	file = append(file, content...)
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	changed := privateMapping(t, path)
	changed[len(changed)/2] = '*'
	for _, c := range []struct {
		name string
		f    *File
		gone bool
	}{
		{"opened", opened, true}, {"embedded", parsed(t, privateMapping(t, path)), true},
		{"changed", parsed(t, changed), false}, {"in memory", parsed(t, file), false},
	} {
		want := bytes.Clone(c.f.bytes) // reads each page
		before := present(t, c.f.bytes)
		Idle(c.f, c.f.bytes)
		after := present(t, c.f.bytes)
		if pages := n / os.Getpagesize(); before < pages-1 || c.gone != (after == 0) || !c.gone && after != before {
			t.Errorf("%s: %d of %d pages before, %d after", c.name, before, pages, after)
		}
		if cached := cachedPages(t, c.f.bytes); c.gone && cached < before/2 {
			t.Errorf("%s: %d of %d pages are left in the cache", c.name, cached, before)
		}
		if !bytes.Equal(c.f.bytes, want) {
			t.Errorf("%s: what came back is not what was there", c.name)
		}
		copied := bytes.Clone(want)
		Idle(c.f, copied) // no part of the file
		if !bytes.Equal(copied, want) {
			t.Errorf("%s: a copy was lost", c.name)
		}
	}
	Idle[int8](nil, make([]int8, n))
}

func parsed(t *testing.T, data []byte) *File {
	t.Helper()
	f, err := Parse("memory", data)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// privateMapping is a file as the system maps a program's data.
func privateMapping(t *testing.T, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(data); err != nil {
			t.Error(err)
		}
	})
	return data
}

// present is how many whole pages of x this process has.
func present(t *testing.T, x []byte) (n int) {
	t.Helper()
	table, err := pageTable(wholePages(x))
	if err != nil {
		t.Fatal(err)
	}
	for ; len(table) > 0; table = table[pageEntry:] {
		if binary.NativeEndian.Uint64(table)&pagePresent != 0 {
			n++
		}
	}
	return n
}

// cachedPages is how many pages of x the system has in memory.
func cachedPages(t *testing.T, x []byte) (n int) {
	t.Helper()
	x = wholePages(x)
	found := make([]byte, len(x)/os.Getpagesize())
	if _, _, e := unix.Syscall(unix.SYS_MINCORE, address(x), uintptr(len(x)), address(found)); e != 0 {
		t.Fatal(e)
	}
	for _, f := range found {
		n += int(f & 1)
	}
	return n
}
