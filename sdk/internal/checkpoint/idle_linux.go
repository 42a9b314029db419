package checkpoint

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Idle tells the system that data, part of a mapped file or of the program, will not be read for a while: its pages
// stop counting as this process's memory and come back from the file when they are read after all. Memory of any
// other kind stays as it is.
func Idle[T number](data []T) {
	var element T
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(element)))
	page := unix.Getpagesize()
	if len(bytes) < 2*page {
		return
	}
	skip := -int(uintptr(unsafe.Pointer(&bytes[0]))) & (page - 1)
	if n := (len(bytes) - skip) &^ (page - 1); n > 0 {
		_ = unix.Madvise(bytes[skip:skip+n], unix.MADV_PAGEOUT) // older kernels do not know it: the pages stay
	}
}
