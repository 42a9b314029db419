package backend_test

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// TestPrune keeps what leads to outputs and parameters, in order, and nothing else.
func TestPrune(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 2, 3)
	kept := r.Scale(x, 2)
	dead := r.Scale(x, 3)
	dead = r.Add(dead, kept)
	r.Output(r.Scale(kept, 4), "y")
	r.Scale(dead, 5)
	before, _ := r.Finish()
	if n := len(before.Ops()); n != 5 {
		t.Fatalf("%d operators recorded", n)
	}
	r.Prune()
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var factors []float32
	for _, op := range p.Ops() {
		factors = append(factors, op.(*backend.Scale).Factor)
	}
	if len(factors) != 2 || factors[0] != 2 || factors[1] != 4 {
		t.Errorf("kept the scales %v, expected those by 2 and 4", factors)
	}
	r.Prune() // nothing more to drop
	if n := len(p.Ops()); n != 2 {
		t.Errorf("%d operators after pruning twice", n)
	}
}

// TestFootprint counts inputs and what lives at one time.
func TestFootprint(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 64)
	for range 5 {
		x = r.Scale(x, 2) // each dies with the next
	}
	r.Output(x, "y")
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := p.Footprint(); err != nil || n != 4*(64+2*64) {
		t.Errorf("%d bytes, %v, expected the input and two temporaries", n, err)
	}
}
