package checkpoint

import (
	"bufio"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Idle tells the system that data, which aliases f, will not be read for a while: its pages stop counting as this process's
// memory and come back from the file when they are read after all. They stay in the system's cache of files, for the next
// process. Memory that is no file's stays as it is.
func Idle[T number](f *File, data []T) {
	var element T
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(data))), len(data)*int(unsafe.Sizeof(element)))
	page := unix.Getpagesize()
	if f == nil || len(bytes) < 2*page || !within(bytes, f.filePages()) {
		return
	}
	skip := -int(address(bytes)) & (page - 1)
	if n := (len(bytes) - skip) &^ (page - 1); n > 0 {
		_ = unix.Madvise(bytes[skip:skip+n], unix.MADV_DONTNEED) // or the pages stay
	}
}

func address(x []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(x))) }

// within tells whether x lies in all.
func within(x, all []byte) bool {
	return address(x) >= address(all) && address(x)+uintptr(len(x)) <= address(all)+uintptr(len(all))
}

// filePages are the bytes that the system reads from a file again once their pages are gone: a mapped file's, or those that are
// embedded in the program, if it runs from a file as it was linked. Of memory that is no file's they would be lost.
func (f *File) filePages() []byte {
	f.pagesOnce.Do(func() {
		if f.pages == nil && fileBacked(f.bytes) {
			f.pages = f.bytes
		}
	})
	return f.pages
}

// fileBacked tells whether x lies in one mapping of a file.
func fileBacked(x []byte) bool {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return false
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to, offset, inode uintptr
		var access, device string
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x %s %x %s %d", &from, &to, &access, &offset, &device, &inode); n < 6 {
			continue
		}
		if address(x) >= from && address(x) < to {
			return inode != 0 && address(x)+uintptr(len(x)) <= to
		}
	}
	return false
}
