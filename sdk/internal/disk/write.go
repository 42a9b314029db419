package disk

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/pkg/errors"
)

// WriteFile fills the file path: a temporary file beside it, flushed to the disk, then renamed, then the folder flushed.
// On an error before the renaming the old file stays and nothing is left behind. An error of flushing the folder comes
// after it: the new file is in its place, but a power cut may still bring the old one back.
//
// A link is followed, and the mode of an old file kept. What is no regular file, such as a pipe, is written to directly.
func WriteFile(fsys FS, path string, fill func(io.Writer) error) error {
	return write(fsys, path, "", fill)
}

// WriteFileKeeping is WriteFile for a file that must never be without a whole version, not even on a disk that forgets
// what it was told to flush: the old file becomes previous once the new one is written. A crash between the two
// renamings leaves previous alone.
func WriteFileKeeping(fsys FS, path, previous string, fill func(io.Writer) error) error {
	return write(fsys, path, previous, fill)
}

func write(fsys FS, path, previous string, fill func(io.Writer) error) error {
	mode := fs.FileMode(0o666)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // replace what a link points to, not the link
	}
	if old, err := os.Stat(path); err == nil {
		if old.IsDir() {
			return fmt.Errorf("write %s: is a folder, expected a file name", path)
		}
		if !old.Mode().IsRegular() {
			return errors.WithMessagef(writeThrough(path, fill), "write %s", path)
		}
		mode = old.Mode().Perm()
	}
	err := replace(fsys, path, previous, mode, fill)
	if err == nil {
		err = errors.WithStack(fsys.SyncDir(filepath.Dir(path)))
	}
	return errors.WithMessagef(err, "write %s", path)
}

// replace puts a new file in path's place; the old one becomes previous, unless that is "".
func replace(fsys FS, path, previous string, mode fs.FileMode, fill func(io.Writer) error) error {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%08x.tmp", filepath.Base(path), rand.Uint32()))
	file, err := fsys.Create(temp, mode)
	if err != nil {
		return errors.WithStack(err)
	}
	err = fill(file)
	if err == nil {
		err = errors.WithStack(file.Sync())
	}
	if e := file.Close(); err == nil {
		err = errors.WithStack(e)
	}
	if err == nil && previous != "" {
		if err = errors.WithStack(fsys.Rename(path, previous)); errors.Is(err, fs.ErrNotExist) {
			err = nil // the first version
		}
	}
	if err == nil {
		err = errors.WithStack(fsys.Rename(temp, path))
	}
	if err != nil {
		_ = fsys.Remove(temp) // the first error is the one to report
	}
	return err
}

// writeThrough fills what cannot be replaced: a pipe or a device.
func writeThrough(path string, fill func(io.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return errors.WithStack(err)
	}
	err = fill(file)
	if e := file.Close(); err == nil {
		err = errors.WithStack(e)
	}
	return err
}

// Leftovers lists the temporary files beside path of writers that were killed, or that are still at work.
func Leftovers(path string) []string {
	var found []string
	entries, _ := os.ReadDir(filepath.Dir(path))
	prefix, digits := "."+filepath.Base(path)+".", 8
	for _, e := range entries {
		name := e.Name()
		if len(name) == len(prefix)+digits+len(".tmp") && name[:len(prefix)] == prefix && filepath.Ext(name) == ".tmp" {
			found = append(found, filepath.Join(filepath.Dir(path), name))
		}
	}
	return found
}
