//go:build !amd64 && !arm64

package simd

// native lists the sets in assembly: none.
func native() []*Set { return nil }
