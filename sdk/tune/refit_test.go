package tune_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// TestRefit: a probe that wins is the one that a run without a split fits, and keeps the scores and thresholds of the one
// that had not seen the images held out. Adapters with branches are not fitted again.
func TestRefit(t *testing.T) {
	v := tinyViT(t)
	dir := stripes(t, 8)
	if err := os.WriteFile(filepath.Join(dir, "train", "class1", "03.png"), []byte("\x89PNG no"), 0o644); err != nil {
		t.Fatal(err)
	}
	run := func(ds *data.Dataset, change func(*tune.Config)) (*adapter.Adapter, *tune.Report) {
		c := short()
		change(&c)
		a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a, rep
	}
	linear := func(c *tune.Config) { c.Method, c.Epochs = adapter.Linear, c.ProbeEpochs }
	for name, ds := range map[string]*data.Dataset{"classes": dataset(t, dir), "tags": tags(t, 24)} {
		whole, none := run(ds, func(c *tune.Config) { linear(c); c.Val = 0 })
		split, rep := run(ds, linear)
		if !sameTensors(whole, split) {
			t.Errorf("%s: other values than those of a run without a split", name)
		}
		if rep.Refit != rep.Train+rep.Val || rep.Val == 0 || none.Refit != 0 || rep.Score == nil || none.Score != nil {
			t.Errorf("%s: fitted again on %d and %d images, %d and %d there, scores %v and %v", name, rep.Refit, none.Refit, rep.Train, rep.Val, rep.Score, none.Score)
		}
		if rep.Judged == nil || sameTensors(rep.Judged, split) || none.Judged != nil {
			t.Errorf("%s: the probe that was judged is %v, %v without a split", name, rep.Judged, none.Judged)
		}
		if has := split.Config().Thresholds != nil; has != ds.MultiLabel {
			t.Errorf("%s: thresholds %v", name, split.Config().Thresholds)
		}
		// Branches that hardly learn lose to the probe.
		lost, rep := run(ds, func(c *tune.Config) { c.LR, c.Epochs = 1e-9, 1 })
		if rep.BestEpoch != 0 || !sameTensors(lost, whole) || rep.Refit == 0 {
			t.Errorf("%s: epoch %d won, fitted again on %d images", name, rep.BestEpoch, rep.Refit)
		}
	}
	won, rep := run(dataset(t, stripes(t, 16)), func(c *tune.Config) { c.ProbeLR, c.LR, c.Epochs = 1e-9, 0.3, 12 })
	if rep.BestEpoch == 0 || rep.Refit != 0 || len(won.Config().Blocks) == 0 {
		t.Errorf("control: epoch %d won, fitted again on %d images", rep.BestEpoch, rep.Refit)
	}
}
