// Package disk writes files so that a reader, or a power cut, sees a whole one or none. It goes through a small
// interface, so that tests can make each single operation fail.
package disk

import (
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/pkg/errors"
)

// FS is what writing a file needs of a file system.
type FS interface {
	// Create makes the file path, which must not exist, and opens it for writing.
	Create(path string, mode fs.FileMode) (File, error)
	Rename(from, to string) error
	Remove(path string) error
	// SyncDir makes the entries of a folder last. Where a system cannot do that, it does nothing.
	SyncDir(path string) error
}

// File is an open file.
type File interface {
	io.Writer
	Sync() error // flushes what was written to the disk
	Close() error
}

// OS is the operating system's file system.
var OS FS = system{}

type system struct{}

func (system) Create(path string, mode fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err // a nil *os.File must not become a File
	}
	return f, nil
}

func (system) Rename(from, to string) error { return os.Rename(from, to) }
func (system) Remove(path string) error     { return os.Remove(path) }

func (system) SyncDir(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return nil // a folder may be writable and not readable
	}
	defer folder.Close()
	if err := folder.Sync(); !noSync(err) {
		return err
	}
	return nil
}

// noSync reports whether err only says that folders cannot be flushed here.
func noSync(err error) bool {
	for _, e := range []error{syscall.EINVAL, syscall.ENOTSUP, syscall.EBADF, fs.ErrPermission} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
