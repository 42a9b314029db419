//go:build unix

package checkpoint

import (
	"os"

	"github.com/pkg/errors"
	"golang.org/x/sys/unix"
)

// Open maps the file read-only. The caller closes it.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "open tensors")
	}
	defer file.Close() // the mapping outlives the descriptor
	size, err := regularSize(file)
	if err != nil {
		return nil, err
	}
	if size < prefixBytes { // an empty mapping is an error of its own; Parse says what is wrong
		return Parse(path, nil)
	}
	data, err := unix.Mmap(int(file.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Wrapf(err, "map %s", path)
	}
	f, err := Parse(path, data)
	if err != nil {
		_ = unix.Munmap(data) // the parse error is the one to report
		return nil, err
	}
	f.mapped = data
	f.close = func() error { return errors.Wrapf(unix.Munmap(data), "unmap %s", path) }
	return f, nil
}
