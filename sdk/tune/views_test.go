package tune_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// TestAugment: augmented pictures train another adapter, the same again each time, also after an interruption.
func TestAugment(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := short()
	c.Epochs, c.ProbeEpochs, c.Val = 3, 2, 0
	without, _ := undisturbed(t, v, ds, c)
	for name, a := range map[string]data.Augmentation{"crop": {MinArea: 0.4}, "flip": {Flip: true}, "jitter": {Jitter: 0.3}} {
		c.Augment = a
		got, _ := undisturbed(t, v, ds, c)
		if sameTensors(got.adapter, without.adapter) {
			t.Errorf("%s: the adapter of plain pictures", name)
		}
	}
	c.Augment, c.Val = data.Augmentation{MinArea: 0.4, Flip: true, Jitter: 0.3}, 0.25
	for _, blocks := range [][]int{nil, {2}} {
		c.Blocks, c.Checkpoint = blocks, tune.Checkpoint{}
		want, events := undisturbed(t, v, ds, c)
		for at := events - 12; at < events; at += 4 {
			c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run")}
			r, err := stopAt(v, ds, c, at)
			if err != nil {
				c.Checkpoint.Resume = true
				r, err = stopAt(v, ds, c, 0)
			}
			if err != nil {
				t.Fatal(err)
			}
			r.check(t, fmt.Sprintf("blocks %v, event %d of %d", blocks, at, events), want)
		}
	}
}

// TestViewsOfWhole: an augmentation that shows each picture as it is gives the bits of none, so that both ways into a step
// agree.
func TestViewsOfWhole(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := short()
	c.Epochs, c.ProbeEpochs, c.Blocks = 2, 2, []int{1, 2}
	want, _ := undisturbed(t, v, ds, c)
	c.Augment = data.Augmentation{MinArea: 1}
	got, _ := undisturbed(t, v, ds, c)
	if !sameTensors(got.adapter, want.adapter) {
		t.Error("another adapter")
	}
}

func TestAugmentErrors(t *testing.T) {
	v, dir := tinyViT(t), stripes(t, 8)
	c := short()
	c.Augment.Flip, c.Method = true, adapter.Linear
	if _, _, err := tune.Run(context.Background(), v, dataset(t, dir), c, nil); !errors.Is(err, tune.ErrConfig) {
		t.Errorf("a probe: %v", err)
	}
	c = short()
	c.Augment.Jitter = 3
	if _, _, err := tune.Run(context.Background(), v, dataset(t, dir), c, nil); !errors.Is(err, tune.ErrConfig) {
		t.Errorf("jitter of 3: %v", err)
	}
	c = short()
	c.Augment.Flip = true
	_, _, err := tune.Run(context.Background(), v, dataset(t, dir), c, func(e tune.Event) {
		if e.Phase == tune.Adapter && e.Epoch == 1 {
			_ = os.RemoveAll(filepath.Join(dir, "train", "class1"))
		}
	})
	if !errors.Is(err, data.ErrDataset) {
		t.Errorf("images that vanish: %v", err)
	}
}
