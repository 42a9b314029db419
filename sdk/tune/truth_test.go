package tune

import (
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
)

// TestTruthOfTags compares with the formulas written out in float64.
func TestTruthOfTags(t *testing.T) {
	y := newTruth(&data.Dataset{MultiLabel: true, Classes: []string{"a", "b", "c"}})
	y.add(data.Item{Labels: []int{0, 2}})
	y.add(data.Item{Labels: []int{}})
	z := [][]float32{{2, -1, -3}, {40, 0, -100}}
	for i, want := range []float64{
		(math.Log(1+math.Exp(-2)) + math.Log(1+math.Exp(-1)) + math.Log(1+math.Exp(3))) / 3,
		(40 + math.Log1p(math.Exp(-40)) + math.Ln2) / 3,
	} {
		if got := y.loss(i, z[i]); math.Abs(got-want) > 1e-12 {
			t.Errorf("image %d: loss %g, want %g", i, got, want)
		}
	}
	if a, b := y.correct(0, z[0]), y.correct(1, z[1]); a != 2 || b != 2 {
		t.Errorf("%d and %d of 3 decisions right, want 2 and 2", a, b)
	}
	if g := y.loss(0, []float32{0, 0, 0}); math.Abs(g-y.guess()) > 1e-15 || y.decisions() != 3 || y.n() != 2 {
		t.Errorf("guessing costs %g, not %g", g, y.guess())
	}
	got := y.targets([]int{1, 0}, nn.Targets{})
	for i, want := range []float32{0, 0, 0, 1, 0, 1} {
		if got.Flags[i] != want || len(got.Classes) > 0 {
			t.Errorf("targets %v", got)
		}
	}
	if c := y.counts(); c[0] != 1 || c[1] != 0 || c[2] != 1 {
		t.Errorf("counts %v", c)
	}
}
