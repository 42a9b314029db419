//go:build !linux && !darwin && !freebsd && !netbsd

package library

import "os"

// identify knows nothing here: size and time of modification decide alone.
func identify(os.FileInfo) identity { return identity{} }
