//go:build !unix

package checkpoint

import (
	"os"

	"github.com/pkg/errors"
)

// Open opens the file; each tensor is read when it is asked for. The caller closes it.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, errors.Wrap(err, "open tensors")
	}
	size, err := regularSize(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	f, err := NewReader(path, file, size)
	if err != nil {
		file.Close()
		return nil, err
	}
	f.close = file.Close
	return f, nil
}
