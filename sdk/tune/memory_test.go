package tune_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// planned runs c and returns the plan that it announced before anything else, and the most that the device held.
func planned(t *testing.T, c tune.Config) (m tune.Memory, peak int64, r result, err error) {
	t.Helper()
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	first := true
	r.adapter, r.report, err = tune.Run(context.Background(), v, ds, c, func(e tune.Event) {
		if first != (e.Memory != nil) {
			t.Errorf("event %+v", e)
		}
		if first = false; e.Memory != nil {
			m = *e.Memory
		}
		peak = max(peak, v.Backend().MemoryInUse())
	})
	return m, peak, r, err
}

// TestMemoryBudget: tighter budgets take less memory and change no bit; where nothing helps, the error has both figures.
func TestMemoryBudget(t *testing.T) {
	c := short()
	c.Bottleneck = 64
	all, _, want, err := planned(t, c)
	if err != nil {
		t.Fatal(err)
	}
	if all.Recompute || all.File > 0 || all.Total() < all.Cache+all.Step {
		t.Errorf("without a budget: %+v", all)
	}
	tight := c
	tight.MemoryBudget = all.Total() - 1
	inFile, _, got, err := planned(t, tight)
	if err != nil || inFile.Recompute || inFile.File == 0 || inFile.Total() > tight.MemoryBudget {
		t.Fatalf("with a byte less: %+v, %v", inFile, err)
	}
	got.check(t, "tokens in a file", want)
	tight.MemoryBudget = inFile.Total() - 1
	least, _, got, err := planned(t, tight)
	if err != nil || !least.Recompute || least.Total() > tight.MemoryBudget {
		t.Fatalf("with less than that: %+v, %v", least, err)
	}
	got.check(t, "blocks run twice", want)
	tight.MemoryBudget = 1e6
	_, _, _, err = planned(t, tight)
	if !errors.Is(err, tune.ErrBudget) || !strings.Contains(err.Error(), "the budget is 1 MB") || !strings.Contains(err.Error(), "the run needs ") {
		t.Errorf("1 MB: %v", err)
	}
}

// TestMemoryPlan: what the device holds at most is what the plan says, but for the scratch memory of kernels, which counts for
// more beside a backbone this small.
func TestMemoryPlan(t *testing.T) {
	for name, change := range map[string]func(*tune.Config){
		"adapter": func(*tune.Config) {}, "linear": func(c *tune.Config) { c.Method = adapter.Linear }, "late": func(c *tune.Config) { c.Blocks = []int{2} },
	} {
		c := short()
		c.Batch = 12
		change(&c)
		m, peak, _, err := planned(t, c)
		if err != nil {
			t.Fatal(err)
		}
		if most := m.Backbone + m.Adapter + max(m.Encode, m.Step); peak > most+most*4/10 || peak < m.Backbone+max(m.Encode, m.Step)*6/10 {
			t.Errorf("%s: the device held %d bytes, planned %+v", name, peak, m)
		}
	}
}

func ExampleMemory_String() {
	fmt.Println(tune.Memory{Backbone: 22e6, Adapter: 19e6, Cache: 2e6, File: 60e6, Encode: 20e6, Step: 113e6, Program: 72e6, Recompute: true})
	// Output: MB: backbone 22.0, adapter 19.0, cache 2.0, activations 113.0, by running blocks twice, program 72, and 60.0 in a temporary file
}
