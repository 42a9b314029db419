package backendtest

import (
	"fmt"
	"math"
	"testing"
)

func sqrt(n int) float32 { return float32(math.Sqrt(float64(n))) }

func testElementwise(t *testing.T, s suite) {
	for _, shape := range [][]int{{1, 1}, {7, 37}, {65, 67}} {
		m, n := shape[0], shape[1]
		add := func(other string) func(g *graph) {
			return func(g *graph) { g.read("y", g.Add(g.items("a", m, m, n), g.items(other, m, m, n))) }
		}
		scale := func(factor float32) func(g *graph) {
			return func(g *graph) { g.read("y", g.Scale(g.items("x", m, m, n), factor)) }
		}
		scaleBy := func(by string) func(g *graph) {
			return func(g *graph) {
				s := g.param(by, 1)
				g.read("y", g.ScaleBy(g.items("x", m, m, n), s))
				g.ScaleInPlace(g.updated("z", normal("z", 0, m*n), m, n), s)
			}
		}
		name := fmt.Sprintf(" %dx%d", m, n)
		s.check(t, "scaleby"+name, scaleBy("s"))
		s.rejects(t, "another factor of scaleby"+name, scaleBy("s"), scaleBy("t"))
		s.check(t, "add"+name, add("b"))
		s.check(t, "scale"+name, scale(-0.3))
		s.rejects(t, "add of another operand"+name, add("b"), add("c"))
		s.rejects(t, "another factor"+name, scale(-0.3), scale(-0.301))
	}
}
