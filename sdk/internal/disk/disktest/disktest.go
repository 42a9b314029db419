// Package disktest is a file system that fails at a chosen point.
package disktest

import (
	"io/fs"
	"syscall"

	"github.com/edgeadapt/edgeadapt/sdk/internal/disk"
)

// Failing is the operating system's file system until one operation fails; those after it work again. Not safe for
// concurrent use.
type Failing struct {
	Op  string // "create", "write", "sync", "close", "rename", "remove" or "syncdir"
	Nth int    // which operation of that kind fails, counted from 0
	// Room is how many bytes a write that fails, of Op "space", still takes, over all files; the disk stays full.
	Room int

	seen   int
	Failed bool // whether the point was reached
}

// Err is what fails: the disk is full for "write" and "space", else an input/output error.
func (f *Failing) Err() error {
	if f.Op == "write" || f.Op == "space" {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

// fails counts an operation and says whether it is the one.
func (f *Failing) fails(op, path string) error {
	if op != f.Op {
		return nil
	}
	f.seen++
	if f.seen-1 != f.Nth {
		return nil
	}
	f.Failed = true
	return &fs.PathError{Op: op, Path: path, Err: f.Err()}
}

// Create implements disk.FS.
func (f *Failing) Create(path string, mode fs.FileMode) (disk.File, error) {
	if err := f.fails("create", path); err != nil {
		return nil, err
	}
	file, err := disk.OS.Create(path, mode)
	return &failingFile{f, path, file}, err
}

// Rename implements disk.FS.
func (f *Failing) Rename(from, to string) error {
	if err := f.fails("rename", from); err != nil {
		return err
	}
	return disk.OS.Rename(from, to)
}

// Remove implements disk.FS.
func (f *Failing) Remove(path string) error {
	if err := f.fails("remove", path); err != nil {
		return err
	}
	return disk.OS.Remove(path)
}

// SyncDir implements disk.FS.
func (f *Failing) SyncDir(path string) error {
	if err := f.fails("syncdir", path); err != nil {
		return err
	}
	return disk.OS.SyncDir(path)
}

type failingFile struct {
	f    *Failing
	path string
	file disk.File
}

func (w *failingFile) Write(p []byte) (int, error) {
	if err := w.f.fails("write", w.path); err != nil {
		n, _ := w.file.Write(p[:len(p)/2]) // a full disk takes what it can
		return n, err
	}
	if w.f.Op != "space" {
		return w.file.Write(p)
	}
	if w.f.Room >= len(p) {
		w.f.Room -= len(p)
		return w.file.Write(p)
	}
	n, _ := w.file.Write(p[:w.f.Room])
	w.f.Room, w.f.Failed = 0, true
	return n, &fs.PathError{Op: "write", Path: w.path, Err: syscall.ENOSPC}
}

func (w *failingFile) Sync() error {
	if err := w.f.fails("sync", w.path); err != nil {
		return err
	}
	return w.file.Sync()
}

func (w *failingFile) Close() error {
	err := w.file.Close() // also where it fails: the descriptor is gone
	if e := w.f.fails("close", w.path); e != nil {
		return e
	}
	return err
}
