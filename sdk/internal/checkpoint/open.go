package checkpoint

import (
	"math"
	"os"

	"github.com/pkg/errors"
)

// regularSize returns the size of a regular file, and refuses everything else: folders, pipes, devices.
func regularSize(file *os.File) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, errors.Wrap(err, "open tensors")
	}
	if !info.Mode().IsRegular() {
		return 0, corrupt("%s: %v, expected a regular file", file.Name(), info.Mode().Type())
	}
	if info.Size() > math.MaxInt {
		return 0, corrupt("%s: %d bytes do not fit into the address space", file.Name(), info.Size())
	}
	return info.Size(), nil
}
