package backendtest

import (
	"fmt"
	"testing"
)

func testClipNorm(t *testing.T, s suite) {
	clip := func(n int, factor, limit float32) func(g *graph) {
		return func(g *graph) {
			x := normal("x", 0, n)
			for i := range x {
				x[i] *= factor
			}
			g.ClipNorm(g.updated("x", x, n), limit)
		}
	}
	for _, n := range []int{1, 65, 1027, 40001} { // the last: several pieces on the CPU, several rounds on the GPU
		s.check(t, fmt.Sprintf("%d elements above the limit", n), clip(n, 1, 0.25))
		s.check(t, fmt.Sprintf("%d elements below it", n), clip(n, 1e-3, 5))
	}
	s.check(t, "zeros", clip(65, 0, 0.25))
	s.rejects(t, "not clipped", clip(65, 1, 0.25), clip(65, 1, 1000))
	s.rejects(t, "another limit", clip(65, 1, 0.25), clip(65, 1, 0.252))
}
