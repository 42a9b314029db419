//go:build linux || darwin || freebsd || netbsd

package library

import (
	"errors"
	"os"
	"testing"
	"time"
)

// TestWatchTellsFilesApart: a file of the same size and time of modification takes the place of another, by its name and in place.
func TestWatchTellsFilesApart(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "a", "first", "", nil, "x", "y")
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, long, long); err != nil {
		t.Fatal(err)
	}
	w := watch(t, dir)
	w.becomes(t, "a", "first")
	size := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	before := size(path)
	next := write(t, t.TempDir(), "a", "other", "", nil, "x", "y")
	if err := errors.Join(os.Chtimes(next, long, long), os.Rename(next, path)); err != nil {
		t.Fatal(err)
	}
	if size(path) != before {
		t.Fatal("the test needs files of one size")
	}
	w.becomes(t, "a", "other")
	third, err := os.ReadFile(write(t, t.TempDir(), "a", "third", "", nil, "x", "y"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(path, third, 0o600), os.Chtimes(path, long, long)); err != nil {
		t.Fatal(err)
	}
	w.becomes(t, "a", "third")
}
