package backend_test

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// TestPlacements: every value that is touched is listed with its life, values that live together are apart, and the peak is what
// the largest of the operators keeps alive.
func TestPlacements(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 64)
	a := r.Scale(x, 2)                                            // 0
	b := r.Scale(a, 3)                                            // 1
	c := r.Add(a, b)                                              // 2
	y := r.Output(r.Add(c, r.Param("p", buffer(64), 0, 64)), "y") // 3
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	l, err := backend.Plan(p, 64, 64) // an arena a value
	if err != nil {
		t.Fatal(err)
	}
	want := map[backend.Value][2]int{x: {0, 4}, a: {0, 2}, b: {1, 2}, c: {2, 3}, y: {3, 4}}
	list := backend.Placements(p, l)
	if len(list) != len(want) {
		t.Fatalf("%+v", list)
	}
	for _, at := range list {
		if w := want[at.Value]; at.First != w[0] || at.Last != w[1] || at.Bytes != 256 || (at.Value == x) != (at.Arena < 0) {
			t.Errorf("%+v, expected a life from %d to %d", at, w[0], w[1])
		}
		for _, o := range list {
			if o.Value != at.Value && at.Arena >= 0 && o.Arena == at.Arena && o.First <= at.Last && at.First <= o.Last && o.Offset < at.Offset+at.Bytes && at.Offset < o.Offset+o.Bytes {
				t.Errorf("%+v and %+v share memory", at, o)
			}
		}
	}
	if bytes, op := backend.PeakBytes(p, l); bytes != 3*256 || op != 2 {
		t.Errorf("peak %d at operator %d, expected 768 at 2", bytes, op)
	}
}
