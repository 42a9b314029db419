//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// TestDividedBits: a divided dispatch gives the bits of the whole, forward and back.
func TestDividedBits(t *testing.T) {
	whole, divisions := layerBits(t, openHere(t, Options{Untested: true}), 68)
	if divisions != 0 {
		t.Errorf("control: %d commands for 2 operators were divided", divisions)
	}
	got, divisions := layerBits(t, openHere(t, Options{Untested: true, SegmentTime: tiny}), 68)
	if divisions < 8 {
		t.Errorf("control: %d commands more than operators", divisions)
	}
	for i := range whole {
		if math.Float32bits(got[i]) != math.Float32bits(whole[i]) {
			t.Fatalf("element %d is %g, undivided %g", i, got[i], whole[i])
		}
	}
}

// layerBits is x Wᵀ W for random x and W with k columns, and how many commands more than two that took.
func layerBits(t *testing.T, d *device, k int) (y []float32, divisions int) {
	t.Helper()
	const m, n = 67, 132
	random := rand.New(rand.NewPCG(5, 7))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
		return x
	}
	w, err := quant.Quantize(quant.Q8C, normal(n*k), n, k)
	if err != nil {
		t.Fatal(err)
	}
	r := backend.NewRecorder()
	f := frozenHere(t, d, w)
	x := r.Input("x", m, k)
	v := r.Output(r.LinearBackward(r.Linear(x, f), f, backend.None), "y")
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	e, err := d.Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := e.WriteFloats(x, normal(m*k)); err != nil {
		t.Fatal(err)
	}
	if err := e.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	y = make([]float32, m*k)
	if err := e.ReadFloats(v, y); err != nil {
		t.Fatal(err)
	}
	return y, len(e.(*executable).rec.Plan()) - 2
}
