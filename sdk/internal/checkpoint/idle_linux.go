package checkpoint

import (
	"encoding/binary"
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
	if pages := wholePages(bytes); len(pages) > 0 && f != nil && (within(pages, f.mapped) || asInFile(pages)) {
		_ = unix.Madvise(pages, unix.MADV_DONTNEED) // or the pages stay
	}
}

// wholePages are the pages that lie in x from end to end.
func wholePages(x []byte) []byte {
	page := unix.Getpagesize()
	skip := -int(address(x)) & (page - 1)
	if len(x) < skip+page {
		return nil
	}
	return x[skip : skip+(len(x)-skip)&^(page-1)]
}

func address(x []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(x))) }

// within tells whether x lies in all.
func within(x, all []byte) bool {
	return address(x) >= address(all) && address(x)+uintptr(len(x)) <= address(all)+uintptr(len(all))
}

// An entry of the system's table of this process's pages.
const (
	pageEntry   = 8 // bytes
	pagePresent = 1 << 63
	pageSwapped = 1 << 62
	pageOfFile  = 1 << 61 // and as it is there: not one that was written to in a private mapping
)

// asInFile tells whether pages can be read from a file again, as those that are embedded in the program. Of any other memory, and
// of pages that were changed since, such as decrypted ones, the contents would be lost.
func asInFile(pages []byte) bool {
	table, err := pageTable(pages)
	if err != nil {
		return false
	}
	for ; len(table) > 0; table = table[pageEntry:] {
		e := binary.NativeEndian.Uint64(table)
		if e&pageSwapped != 0 || e&pagePresent != 0 && e&pageOfFile == 0 {
			return false
		}
	}
	return true
}

// pageTable is the entries of pages.
func pageTable(pages []byte) ([]byte, error) {
	f, err := os.Open("/proc/self/pagemap")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := unix.Getpagesize()
	table := make([]byte, len(pages)/page*pageEntry)
	_, err = f.ReadAt(table, int64(address(pages))/int64(page)*pageEntry)
	return table, err
}
