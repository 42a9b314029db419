package tune_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// allOptions are branches with every option that a ViT takes.
func allOptions() tune.Config {
	c := short()
	c.Options = tune.Options{Placement: adapter.Sequential, BranchNorm: adapter.NormIn, LearnScale: true, Start: adapter.VideoStart}
	c.Scale = 1
	return c
}

// TestOptions: what the options ask for is what is trained.
func TestOptions(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := allOptions()
	c.Val, c.Epochs, c.ProbeEpochs = 0, 2, 2 // the last epoch is the result
	a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	g := a.Config()
	if g.Placement != adapter.Sequential || g.Norm != adapter.NormIn || !g.LearnScale || rep.Parameters != a.Parameters() {
		t.Errorf("%+v", g)
	}
	for _, leaf := range []string{"scale", "adapter_layer_norm_before.weight", "adapter_layer_norm_before.bias"} {
		x := a.Tensor("blocks.1.adaptmlp." + leaf).Data
		start := map[bool]float32{true: 0, false: 1}[strings.HasSuffix(leaf, "bias")]
		if len(x) == 0 || !slices.ContainsFunc(x, func(v float32) bool { return v != start }) {
			t.Errorf("%s was not trained", leaf)
		}
	}
	if !strings.Contains(string(a.Record()), `"start":"video"`) {
		t.Errorf("record %s", a.Record())
	}
}

func TestOptionErrors(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 4))
	linear, err := adapter.New(adapter.Config{Method: adapter.Linear, Pool: adapter.PoolCLS, Task: adapter.SingleLabel, Labels: []string{"a"}, Size: 32,
		Fit: adapter.Squash, Interpolation: "bicubic", Std: [3]float32{1, 1, 1}}, v.Config().Ref(), 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]tune.Options{"placement": {Placement: "serial"}, "norm": {BranchNorm: "both"}, "start": {Start: "ones"}, "branches": {From: linear}} {
		c := short()
		c.Options = o
		if _, _, err := tune.Run(context.Background(), v, ds, c, nil); !errors.Is(err, tune.ErrConfig) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// trained is an adapter to go on from.
func trained(t *testing.T, v *nn.ViT, ds *data.Dataset, c tune.Config) *adapter.Adapter {
	t.Helper()
	c.Val = 0
	a, _, err := tune.Run(context.Background(), v, ds, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestGoOn: with the same labels a run starts from the adapter as it is, head included, and never ends below it.
func TestGoOn(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 12))
	from := trained(t, v, ds, allOptions())
	c := short()
	c.From = from
	a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, w := a.Config(), from.Config(); g.Placement != w.Placement || g.Norm != w.Norm || !g.LearnScale || len(rep.Warnings) > 0 || rep.ProbeScore != nil {
		t.Errorf("%+v, %+v", g, rep)
	}
	if rep.StartScore == nil || *rep.Score < *rep.StartScore {
		t.Errorf("from %v to %v", rep.StartScore, rep.Score)
	}
	if *rep.StartScore < 0.6 {
		t.Errorf("control: the adapter to go on from is right in %g of the cases only", *rep.StartScore)
	}
	for _, s := range rep.History {
		if s.Phase == tune.Probe {
			t.Error("a probe was fitted")
		}
	}
	digest, err := from.Digest()
	if err != nil || !strings.Contains(string(a.Record()), digest) {
		t.Errorf("record %s has no %s (%v)", a.Record(), digest, err)
	}
}

// TestGoOnNewLabels: other labels get a head of their own, on the features that the branches make, and are told.
func TestGoOnNewLabels(t *testing.T) {
	v, dir := tinyViT(t), stripes(t, 8)
	from := trained(t, v, dataset(t, dir), allOptions())
	if err := os.Rename(filepath.Join(dir, "train", "class1"), filepath.Join(dir, "train", "new")); err != nil {
		t.Fatal(err)
	}
	c := short()
	c.From, c.LR, c.Epochs, c.Val = from, 1e-12, 1, 0
	a, rep, err := tune.Run(context.Background(), v, dataset(t, dir), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Warnings) != 1 || !strings.Contains(rep.Warnings[0], "made anew") || !strings.Contains(rep.Warnings[0], "class0, class1, class2") {
		t.Errorf("warnings %q", rep.Warnings)
	}
	if !slices.Equal(a.Config().Labels, []string{"class0", "class2", "new"}) {
		t.Errorf("labels %q", a.Config().Labels)
	}
	const down, head = "blocks.1.adaptmlp.down_proj.weight", "head.1.weight"
	if !slices.Equal(a.Tensor(down).Data, from.Tensor(down).Data) || slices.Equal(a.Tensor(head).Data, from.Tensor(head).Data) {
		t.Error("expected the branches to stay and the head to be another")
	}
}

// TestGoOnElsewhere: an adapter for another backbone is refused.
func TestGoOnElsewhere(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 4))
	ref := v.Config().Ref()
	ref.Fingerprint = strings.Repeat("0", 64)
	a := trained(t, v, ds, short())
	other, err := adapter.New(a.Config(), ref, 1)
	if err != nil {
		t.Fatal(err)
	}
	c := short()
	c.From = other
	if _, _, err := tune.Run(context.Background(), v, ds, c, nil); !errors.Is(err, adapter.ErrIncompatible) {
		t.Errorf("%v", err)
	}
}

// TestGoOnResumes: a run that goes on from an adapter and is interrupted ends with the same bits, and options are part of
// what a checkpoint is of.
func TestGoOnResumes(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	from := trained(t, v, ds, allOptions())
	c := short()
	c.From = from
	want, events := undisturbed(t, v, ds, c)
	c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 1}
	if _, err := stopAt(v, ds, c, 2*events/3); err == nil {
		t.Fatal("the run was not interrupted")
	}
	c.Checkpoint.Resume = true
	other := c
	other.From = trained(t, v, ds, short())
	if _, _, err := tune.Run(context.Background(), v, ds, other, nil); !errors.Is(err, tune.ErrDiffers) {
		t.Errorf("another adapter to go on from: %v", err)
	}
	a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	result{a, rep}.check(t, "resumed", want)
}

// TestMeanPooling: a probe under mean pooling is fitted on what it sees later, the vector behind fc_norm.
func TestMeanPooling(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 12))
	c := short()
	c.Method, c.Pool, c.Val, c.ProbeEpochs = adapter.Linear, adapter.PoolMean, 0, 20
	a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	task, err := nn.NewTask(v, a)
	if err != nil {
		t.Fatal(err)
	}
	defer task.Close()
	f, err := v.NewForward(nn.ForwardConfig{Batch: 1, Height: c.Size, Width: c.Size, Task: task, Taps: []string{nn.TapLogits}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	right := 0
	_, err = data.Load(context.Background(), ds.Items, tune.Pipeline(a.Config(), v.Config()), 1, func(i int, x tensor.Tensor) error {
		logits := make([]float32, 3)
		err := f.Run(context.Background(), x.Data, func(f *nn.Forward) error { return f.Read(nn.TapLogits, logits) })
		if slices.Index(logits, slices.Max(logits)) == ds.Items[i].Label {
			right++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	// In training the head's BatchNorm takes the batch's statistics, here those of the run.
	last := rep.History[len(rep.History)-1]
	if got := float64(right) / float64(len(ds.Items)); got < last.Accuracy-0.1 || last.Accuracy < 0.7 {
		t.Errorf("right in %g of the training images, in %g of them while it was fitted", got, last.Accuracy)
	}
}
