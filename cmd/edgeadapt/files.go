package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/pkg/errors"
)

// checkWritable makes sure, before a long run, that its result can be written to path: by making and removing a file
// in path's folder, always the same one, so that processes that are killed just then leave no more than that. An empty
// path is fine.
func checkWritable(path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return errors.Wrap(&os.PathError{Op: "write", Path: path, Err: syscall.EISDIR}, "output")
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); err != nil {
		return errors.Wrapf(err, "output folder %s", dir)
	}
	f, err := os.Create(filepath.Join(dir, "."+filepath.Base(path)+".probe"))
	if err != nil {
		return errors.Wrapf(err, "output folder %s is not writable", dir)
	}
	f.Close()
	return errors.Wrap(os.Remove(f.Name()), "output folder")
}

// saveOr writes a result to path or, where that is impossible, to a new file in the folder for temporary files: a
// finished run is not lost to a full disk. The error then says where the result is.
func saveOr(path string, write func(path string) error) error {
	failed := write(path)
	if failed == nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "edgeadapt-")
	if err != nil {
		return failed
	}
	rescue := filepath.Join(dir, filepath.Base(path))
	if err := write(rescue); err != nil {
		os.Remove(dir)
		return failed
	}
	return errors.WithMessagef(failed, "the result was saved as %s instead", rescue)
}

// fileSize is the size of a file that was just written.
func fileSize(path string) (int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, errors.Wrap(err, "result")
	}
	return info.Size(), nil
}

// require reports a flag that must be set and is not.
func require(flag, value string) error {
	if value == "" {
		return usagef("--%s is missing", flag)
	}
	return nil
}

// parameters prints a count of parameters.
func parameters(n int) string {
	if n < 1e5 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%.2f M", float64(n)/1e6)
}

// writeFile writes a file beside path and renames it, so that a failure leaves path as it was.
func writeFile(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".edgeadapt-*")
	if err != nil {
		return errors.Wrap(err, "output")
	}
	defer os.Remove(tmp.Name())
	for _, step := range []func() error{func() error { return write(tmp) }, func() error { return tmp.Chmod(0o644) }, tmp.Close} {
		if err := step(); err != nil {
			tmp.Close()
			return errors.Wrapf(err, "output %s", path)
		}
	}
	return errors.Wrap(os.Rename(tmp.Name(), path), "output")
}
