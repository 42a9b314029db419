package tune

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestRateEqualsReference compares with the rates that PyTorch's training code used for 30 steps.
func TestRateEqualsReference(t *testing.T) {
	raw, err := os.ReadFile("../internal/nn/testdata/train_vit/trajectory.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Samples, Batch, Epochs int
		Warmup                 float64 `json:"warmup_epochs"`
		Runs                   map[string]struct {
			Optimiser struct{ LR float64 }
			LR        []float64
		}
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	run := want.Runs["sgd"]
	perEpoch := float64(want.Samples / want.Batch)
	wrong := 0
	for step, lr := range run.LR {
		at := float64(step) / perEpoch
		if got := rate(at, run.Optimiser.LR, want.Warmup, float64(want.Epochs)); math.Abs(got-lr) > 1e-9 {
			t.Errorf("step %d: rate %.12g, expected %.12g", step, got, lr)
		}
		if math.Abs(rate(at, run.Optimiser.LR, want.Warmup+1, float64(want.Epochs))-lr) > 1e-9 {
			wrong++
		}
	}
	if len(run.LR) != 30 || wrong < 20 {
		t.Errorf("control: a longer warm-up changes %d of %d rates", wrong, len(run.LR))
	}
}
