package tune_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// result is what a run must give again.
type result struct {
	adapter *adapter.Adapter
	report  *tune.Report
}

func (r result) check(t *testing.T, name string, want result) {
	t.Helper()
	if !sameTensors(r.adapter, want.adapter) {
		t.Errorf("%s: other values than those of an undisturbed run", name)
	}
	if got, want := string(r.adapter.Record()), string(want.adapter.Record()); got != want {
		t.Errorf("%s: record\n%s, expected\n%s", name, got, want)
	}
	if got, want := untimed(r.report.History), untimed(want.report.History); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: history\n%v, expected\n%v", name, got, want)
	}
}

// untimed is a history without the time that it took.
func untimed(h []tune.EpochStat) []tune.EpochStat {
	h = slices.Clone(h)
	for i := range h {
		h[i].Seconds = 0
	}
	return h
}

// stopAt runs until the event of that number and returns the error; a run that ends before returns its result.
func stopAt(v *nn.ViT, ds *data.Dataset, c tune.Config, event int) (r result, err error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	n := 0
	r.adapter, r.report, err = tune.Run(ctx, v, ds, c, func(tune.Event) {
		if n++; n == event {
			cancel()
		}
	})
	return r, err
}

func undisturbed(t *testing.T, v *nn.ViT, ds *data.Dataset, c tune.Config) (r result, events int) {
	t.Helper()
	c.Checkpoint = tune.Checkpoint{}
	var err error
	r.adapter, r.report, err = tune.Run(context.Background(), v, ds, c, func(tune.Event) { events++ })
	if err != nil {
		t.Fatal(err)
	}
	return r, events
}

// TestResumeAfterCancel stops a run at each of its signs of life, and again soon after going on; both times it leaves a
// checkpoint, and it ends with the bits of a run that was never stopped.
func TestResumeAfterCancel(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	for name, change := range map[string]func(*tune.Config){
		"adapter": func(*tune.Config) {},
		"linear":  func(c *tune.Config) { c.Method = adapter.Linear },
		"adamw": func(c *tune.Config) {
			c.Optimizer, c.WeightDecay, c.LabelSmoothing, c.Balance = tune.AdamW, 0.05, 0.1, true
		},
		"accumulated": func(c *tune.Config) {
			c.Batch, c.Accumulate, c.Epochs, c.ProbeEpochs = 6, 2, 2, 1
		},
		"no split": func(c *tune.Config) {
			c.Val, c.ProbeEpochs, c.Blocks = 0, 2, []int{1}
		},
	} {
		c := short()
		c.Epochs, c.ProbeEpochs = 3, 3
		change(&c)
		want, events := undisturbed(t, v, ds, c)
		for at := 1; at <= events; at++ {
			c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run")}
			got, err := stopAt(v, ds, c, at)
			var stop *tune.Stopped
			if err != nil && (!errors.As(err, &stop) || !errors.Is(err, context.Canceled) || stop.Lost != nil) {
				t.Fatalf("%s, event %d: error %v", name, at, err)
			}
			c.Checkpoint.Resume = true
			for tries := 0; err != nil && tries < 2; tries++ {
				got, err = stopAt(v, ds, c, map[int]int{0: 6}[tries])
			}
			if err != nil {
				t.Fatalf("%s, event %d: resumed: %v", name, at, err)
			}
			got.check(t, fmt.Sprintf("%s, event %d of %d", name, at, events), want)
		}
	}
}

// TestResumeFromEveryCheckpoint keeps a copy of the checkpoint after each step, as a process that is killed there leaves
// it, and goes on from each.
func TestResumeFromEveryCheckpoint(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := short()
	c.Epochs, c.ProbeEpochs = 2, 2
	want, _ := undisturbed(t, v, ds, c)
	c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 1}
	copies := map[string]bool{}
	got, _, err := tune.Run(context.Background(), v, ds, c, func(tune.Event) {
		if b, err := os.ReadFile(c.Checkpoint.Path); err == nil {
			copies[string(b)] = true
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !sameTensors(got, want.adapter) {
		t.Error("a run with checkpoints gives other bits than one without")
	}
	if len(copies) < 6 {
		t.Errorf("%d checkpoints, expected one a step", len(copies))
	}
	c.Checkpoint.Resume = true
	for content := range copies {
		if err := os.WriteFile(c.Checkpoint.Path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		p, err := c.Checkpoint.Unfinished()
		if err != nil {
			t.Fatal(err)
		}
		got, err := stopAt(v, ds, c, 0)
		if err != nil {
			t.Fatal(err)
		}
		got.check(t, p.String(), want)
	}
}

// cancelled leaves the checkpoint of a run in its adapter phase.
func cancelled(t *testing.T, v *nn.ViT, ds *data.Dataset, c tune.Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	steps := 0
	_, _, err := tune.Run(ctx, v, ds, c, func(e tune.Event) {
		if steps++; e.Phase == tune.Adapter && e.Epoch == 2 {
			cancel()
		}
	})
	var stop *tune.Stopped
	if !errors.As(err, &stop) || stop.Kept == nil || stop.Kept.Phase != tune.Adapter || stop.Kept.Epoch < 2 {
		t.Fatalf("error %v", err)
	}
}

func files(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestResumeRefuses names what differs, and leaves the checkpoint as it is.
func TestResumeRefuses(t *testing.T) {
	v, dir := tinyViT(t), stripes(t, 8)
	ds := dataset(t, dir)
	c := short()
	c.Checkpoint.Path = filepath.Join(t.TempDir(), "run")
	cancelled(t, v, ds, c)
	before, _ := os.ReadFile(c.Checkpoint.Path)
	if _, err := stopAt(v, ds, c, 0); !errors.Is(err, tune.ErrUnfinished) || !strings.Contains(err.Error(), c.Checkpoint.Path) {
		t.Errorf("without resume: %v", err)
	}
	c.Checkpoint.Resume = true
	for text, change := range map[string]func(*tune.Config){
		"batch was 8, is 6":                  func(c *tune.Config) { c.Batch = 6 },
		"seed was 0, is 1":                   func(c *tune.Config) { c.Seed = 1 },
		"dropout was 0.1, is 0":              func(c *tune.Config) { c.Dropout = 0 },
		"blocks was [0,1,2], is [2]":         func(c *tune.Config) { c.Blocks = []int{2} },
		"epochs was 4, is 5":                 func(c *tune.Config) { c.Epochs = 5 },
		"fit was \"squash\", is \"crop\"":    func(c *tune.Config) { c.Fit = adapter.Crop },
		"seed was 0, is 2; val was 0.25, is": func(c *tune.Config) { c.Seed, c.Val = 2, 0.3 },
	} {
		other := c
		change(&other)
		if _, err := stopAt(v, ds, other, 0); !errors.Is(err, tune.ErrDiffers) || !strings.Contains(err.Error(), text) {
			t.Errorf("error %v, expected %q", err, text)
		}
	}
	for name, change := range map[string]func(*tune.Config){ // control: what changes no bit may change
		"cache": func(c *tune.Config) { c.CacheBytes = 1 }, "name": func(c *tune.Config) { c.Name = "other" },
		"workers": func(c *tune.Config) { c.Workers = 1 }, "every": func(c *tune.Config) { c.Checkpoint.Every = 3 },
	} {
		other := c
		change(&other)
		if _, err := stopAt(v, ds, other, 1); errors.Is(err, tune.ErrDiffers) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, "train", "class0", "00.png")); err != nil {
		t.Fatal(err)
	}
	if _, err := stopAt(v, dataset(t, dir), c, 0); !errors.Is(err, tune.ErrDiffers) || !strings.Contains(err.Error(), "data digest was") {
		t.Errorf("other data: %v", err)
	}
	if after, _ := os.ReadFile(c.Checkpoint.Path); string(after) != string(before) {
		t.Error("the checkpoint was changed")
	}
}

// TestDamagedCheckpoint: the generation before takes over, with a warning; without one it is an error and no new start.
func TestDamagedCheckpoint(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := short()
	want, _ := undisturbed(t, v, ds, c)
	path := filepath.Join(t.TempDir(), "run")
	c.Checkpoint = tune.Checkpoint{Path: path, Every: 1}
	cancelled(t, v, ds, c)
	whole := map[string][]byte{}
	for _, p := range []string{path, path + ".previous"} {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		whole[p] = b
	}
	c.Checkpoint.Resume = true
	n := len(whole[path])
	flipped := slices.Clone(whole[path])
	flipped[n-5] ^= 1
	zeroed := append(slices.Clone(whole[path][:n-4096]), make([]byte, 4096)...) // a page that never reached the disk
	for name, bad := range map[string][]byte{"cut": whole[path][:n/2], "empty": {}, "flipped bit": flipped, "lost page": zeroed, "missing": nil} {
		for p, b := range whole {
			os.WriteFile(p, b, 0o644)
		}
		if os.WriteFile(path, bad, 0o644); bad == nil {
			os.Remove(path)
		}
		got, err := stopAt(v, ds, c, 0)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got.check(t, name, want)
		if !slices.ContainsFunc(got.report.Warnings, func(w string) bool { return strings.Contains(w, path) }) {
			t.Errorf("%s: warnings %q", name, got.report.Warnings)
		}
		if bad == nil {
			continue
		}
		os.WriteFile(path, bad, 0o644)
		os.WriteFile(path+".previous", bad, 0o644)
		if _, err := stopAt(v, ds, c, 0); !errors.Is(err, adapter.ErrCorrupt) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s twice: %v", name, err)
		}
	}
}

// TestDivergedLeavesNothing: a run that would only diverge again is not kept.
func TestDivergedLeavesNothing(t *testing.T) {
	c := short()
	c.LR, c.Epochs = 1e30, 30
	c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 1}
	_, err := stopAt(tinyViT(t), dataset(t, stripes(t, 8)), c, 0)
	if !errors.Is(err, tune.ErrDiverged) {
		t.Fatalf("error %v", err)
	}
	if left := files(filepath.Dir(c.Checkpoint.Path)); len(left) > 0 {
		t.Errorf("files left: %q", left)
	}
}

// TestRemove removes both generations and what killed writers left, and nothing else.
func TestRemove(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"run", "run.previous", ".run.01234567.tmp", "other.run"} {
		os.WriteFile(filepath.Join(dir, name), nil, 0o644)
	}
	c := tune.Checkpoint{Path: filepath.Join(dir, "run")}
	for range 2 {
		if err := c.Remove(); err != nil {
			t.Error(err)
		}
	}
	if left := files(dir); !slices.Equal(left, []string{"other.run"}) {
		t.Errorf("left %q", left)
	}
}

// TestResumeOnVulkan stops and resumes once on a Vulkan device, and is refused on another device.
func TestResumeOnVulkan(t *testing.T) {
	v, ds := tinyOn(t, gputest.Open(t)), dataset(t, stripes(t, 6))
	c := short()
	c.Epochs, c.ProbeEpochs = 3, 2
	want, _ := undisturbed(t, v, ds, c)
	c.Checkpoint.Path = filepath.Join(t.TempDir(), "run")
	cancelled(t, v, ds, c)
	c.Checkpoint.Resume = true
	if _, err := stopAt(tinyViT(t), ds, c, 1); !errors.Is(err, tune.ErrDiffers) || !strings.Contains(err.Error(), "device was ") {
		t.Errorf("on the CPU: %v", err)
	}
	got, err := stopAt(v, ds, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	got.check(t, "vulkan", want)
	c.Checkpoint.Force = true
	if _, err := stopAt(tinyViT(t), ds, c, 0); err != nil {
		t.Errorf("forced to the CPU: %v", err)
	}
}
