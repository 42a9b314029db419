package backendtest

import (
	"fmt"
	"testing"
)

func testSGD(t *testing.T, s suite) {
	step := func(n int, momentum, decay, lr float32) func(g *graph) {
		return func(g *graph) {
			g.SGD(g.updated("param", normal("param", 0, n), n), g.items("grad", 1, n), g.updated("velocity", normal("velocity", 0, n), n),
				g.input("lr", []float32{lr}, 1), momentum, decay)
		}
	}
	for _, n := range []int{1, 64, 1027} {
		s.check(t, fmt.Sprintf("%d parameters", n), step(n, 0.9, 0, 0.05))
		s.check(t, fmt.Sprintf("%d parameters with decay", n), step(n, 0.9, 0.01, 0.05))
	}
	s.check(t, "rate 0 moves the velocity only", step(65, 0.9, 0, 0))
	s.rejects(t, "no decay", step(65, 0.9, 0.01, 0.05), step(65, 0.9, 0, 0.05))
	s.rejects(t, "another momentum", step(65, 0.9, 0, 0.05), step(65, 0.901, 0, 0.05))
	s.rejects(t, "another rate", step(65, 0.9, 0, 0.05), step(65, 0.9, 0, 0.0501))
}
