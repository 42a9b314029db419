package checkpoint

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// WriteFile writes a safetensors file so that a reader, or a power cut, sees the old file or the new one and never
// half of either: a temporary file beside it, flushed to the disk, then renamed. On any error the old file stays
// and nothing is left behind.
func WriteFile(path string, metadata map[string]string, entries []Entry) error {
	return writeAtomic(path, func(w io.Writer) error { return Write(w, metadata, entries) })
}

func writeAtomic(path string, fill func(io.Writer) error) error {
	mode := fs.FileMode(0o666)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // replace what a link points to, not the link
	}
	if old, err := os.Stat(path); err == nil {
		if old.IsDir() {
			return fmt.Errorf("write %s: is a folder, expected a file name", path)
		}
		if !old.Mode().IsRegular() { // a pipe or a device: it cannot be replaced, only written to
			return writeTo(path, os.O_WRONLY, 0, fill)
		}
		mode = old.Mode().Perm()
	}
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(path), rand.Uint32()))
	err := writeTo(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode, func(w io.Writer) error {
		if err := fill(w); err != nil {
			return err
		}
		return errors.WithStack(w.(*os.File).Sync())
	})
	if err == nil {
		err = errors.WithStack(os.Rename(temp, path))
	}
	if err != nil {
		_ = os.Remove(temp) // may not exist; the first error is the one to report
		return errors.WithMessagef(err, "write %s", path)
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// writeTo opens a file, fills and closes it, and returns the first error of the three.
func writeTo(path string, flags int, mode fs.FileMode, fill func(io.Writer) error) error {
	file, err := os.OpenFile(path, flags, mode)
	if err != nil {
		return errors.WithStack(err)
	}
	err = fill(file)
	if e := file.Close(); err == nil && e != nil {
		err = errors.WithStack(e)
	}
	return err
}

// syncFolder makes a rename last. Not every system can flush a folder; there the rename is as safe as it gets, and the
// file is complete either way, so an error is none of the caller's.
func syncFolder(path string) {
	if folder, err := os.Open(path); err == nil {
		_ = folder.Sync()
		_ = folder.Close()
	}
}
