package disk_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/disk/disktest"
)

// fill writes text in pieces of 3 bytes.
func fill(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		for len(text) > 0 {
			n := min(3, len(text))
			if _, err := io.WriteString(w, text[:n]); err != nil {
				return err
			}
			text = text[n:]
		}
		return nil
	}
}

// only checks that path's folder holds nothing but path, with the content want; "" for an empty folder.
func only(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if string(got) != want || want == "" != (err != nil) {
		t.Errorf("%q in the file (%v), expected %q", got, err, want)
	}
	entries, _ := os.ReadDir(filepath.Dir(path))
	if n := len(entries); n > 1 || want == "" && n > 0 {
		t.Errorf("files left: %v", entries)
	}
}

// TestFaults fails every operation of a write in turn: the old file stays, or the new one is whole.
func TestFaults(t *testing.T) {
	const before, after = "old", "the new content"
	for _, old := range []string{"", before} {
		for _, f := range []disktest.Failing{{Op: "create"}, {Op: "write"}, {Op: "write", Nth: 4}, {Op: "sync"}, {Op: "close"}, {Op: "rename"}} {
			path := filepath.Join(t.TempDir(), "file")
			if old != "" {
				os.WriteFile(path, []byte(old), 0o640)
			}
			err := disk.WriteFile(&f, path, fill(after))
			if !f.Failed || !errors.Is(err, f.Err()) || !strings.Contains(fmt.Sprint(err), path) {
				t.Errorf("%s %d: error %v", f.Op, f.Nth, err)
			}
			only(t, path, old)
			if err := disk.WriteFile(&f, path, fill(after)); err != nil { // it works again
				t.Errorf("after %s %d: %v", f.Op, f.Nth, err)
			}
			only(t, path, after)
		}
	}
}

// TestFullDisk runs out of space at every byte.
func TestFullDisk(t *testing.T) {
	const before, after = "old", "the new content"
	path := filepath.Join(t.TempDir(), "file")
	os.WriteFile(path, []byte(before), 0o640)
	for room := range len(after) {
		err := disk.WriteFile(&disktest.Failing{Op: "space", Room: room}, path, fill(after))
		if !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("room for %d bytes: error %v", room, err)
		}
		only(t, path, before)
	}
	if err := disk.WriteFile(&disktest.Failing{Op: "space", Room: len(after)}, path, fill(after)); err != nil {
		t.Errorf("control: room for all: %v", err)
	}
	only(t, path, after)
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, expected that of the old file", info.Mode())
	}
}

// TestFolderNotFlushed: the new file is there, and the caller is told that it may not last.
func TestFolderNotFlushed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := disk.WriteFile(&disktest.Failing{Op: "syncdir"}, path, fill("new")); !errors.Is(err, syscall.EIO) {
		t.Errorf("error %v", err)
	}
	only(t, path, "new")
}

func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path, left := filepath.Join(dir, "a.run"), filepath.Join(dir, ".a.run.0123abcd.tmp")
	for _, name := range []string{path, left, filepath.Join(dir, ".a.run.tmp"), filepath.Join(dir, ".b.run.0123abcd.tmp")} {
		os.WriteFile(name, nil, 0o644)
	}
	if got := disk.Leftovers(path); len(got) != 1 || got[0] != left {
		t.Errorf("leftovers %q, expected %q", got, left)
	}
}

// TestKeeping fails each operation of writing a third version: the second is whole, as the file or as its predecessor.
func TestKeeping(t *testing.T) {
	for _, f := range []disktest.Failing{{Op: "create"}, {Op: "write"}, {Op: "sync"}, {Op: "close"}, {Op: "rename"}, {Op: "rename", Nth: 1}} {
		path := filepath.Join(t.TempDir(), "file")
		write := func(fsys disk.FS, text string) error {
			return disk.WriteFileKeeping(fsys, path, path+".previous", fill(text))
		}
		if err := errors.Join(write(disk.OS, "first"), write(disk.OS, "second")); err != nil {
			t.Fatal(err)
		}
		if err := write(&f, "third"); !f.Failed || !errors.Is(err, f.Err()) || !strings.Contains(fmt.Sprint(err), path) {
			t.Errorf("%s %d: error %v", f.Op, f.Nth, err)
		}
		now, _ := os.ReadFile(path)
		before, _ := os.ReadFile(path + ".previous")
		if got := [2]string{string(now), string(before)}; got != [2]string{"second", "first"} && got != [2]string{"", "second"} {
			t.Errorf("%s %d: left %q", f.Op, f.Nth, got)
		}
		if err := write(disk.OS, "third"); err != nil {
			t.Errorf("after %s %d: %v", f.Op, f.Nth, err)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 2 {
			t.Errorf("after %s %d: files left: %v", f.Op, f.Nth, left)
		}
	}
}
