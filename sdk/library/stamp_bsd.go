//go:build darwin || freebsd || netbsd

package library

import (
	"os"
	"syscall"
)

// identify tells which file this is and when anything of it was last changed, which nobody can set back as they can the time of
// modification.
func identify(info os.FileInfo) identity {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return identity{}
	}
	return identity{uint64(s.Dev), uint64(s.Ino), int64(s.Ctimespec.Sec), int64(s.Ctimespec.Nsec)}
}
