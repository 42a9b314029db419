//go:build unix

package simd

import (
	"os"
	"syscall"
	"testing"
	"unsafe"
)

// fenced returns memory for n elements, zeros, between two pages that nobody may read or write: it ends at the one
// behind it, or begins at the one before it. A kernel that reaches beyond its operand does not survive.
func fenced[T any](t testing.TB, n int, atEnd bool) []T {
	t.Helper()
	page := os.Getpagesize()
	size := n * int(unsafe.Sizeof(*new(T)))
	pages := pieces(size, page) * page
	all, err := syscall.Mmap(-1, 0, pages+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Error(err)
		}
	})
	for _, fence := range [][]byte{all[:page], all[page+pages:]} {
		if err := syscall.Mprotect(fence, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		return nil
	}
	at := page
	if atEnd {
		at += pages - size
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&all[at])), n)
}
