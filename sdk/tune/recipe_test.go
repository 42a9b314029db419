package tune_test

import (
	"context"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// TestRecipe: every setting of the recipe changes what is trained, and training learns with it.
func TestRecipe(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 12))
	ds.Items = ds.Items[:len(ds.Items)-4] // one class has fewer: a balanced epoch differs
	run := func(change func(*tune.Config)) (*adapter.Adapter, *tune.Report) {
		c := short()
		c.Val, c.Epochs = 0, 12
		change(&c)
		a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a, rep
	}
	plain, _ := run(func(*tune.Config) {})
	for name, change := range map[string]func(*tune.Config){
		"adamw":            func(c *tune.Config) { c.Optimizer, c.LR = tune.AdamW, 0.01 },
		"adamw, decay":     func(c *tune.Config) { c.Optimizer, c.LR, c.WeightDecay = tune.AdamW, 0.01, 0.1 },
		"decay":            func(c *tune.Config) { c.WeightDecay = 0.01 },
		"label smoothing":  func(c *tune.Config) { c.LabelSmoothing = 0.1 },
		"balance":          func(c *tune.Config) { c.Balance = true },
		"accumulated":      func(c *tune.Config) { c.Accumulate = 2 },
		"clipped":          func(c *tune.Config) { c.ClipNorm = 0.1 },
		"a probe by adamw": func(c *tune.Config) { c.Method, c.Optimizer, c.LR = adapter.Linear, tune.AdamW, 0.02 },
	} {
		a, rep := run(change)
		if sameTensors(a, plain) {
			t.Errorf("%s: the adapter of the default recipe", name)
		}
		last := rep.History[len(rep.History)-1]
		if guess := math.Log(float64(len(rep.Classes))); !(last.Loss < 0.9*guess) {
			t.Errorf("%s: the loss ends at %.3f, guessing has %.3f", name, last.Loss, guess)
		}
	}
	far, _ := run(func(c *tune.Config) { c.ClipNorm = 1e9 })
	none, _ := run(func(c *tune.Config) { c.ClipNorm = -1 })
	if !sameTensors(far, none) {
		t.Error("a bound that is never reached changes the adapter")
	}
}
