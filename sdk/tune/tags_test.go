package tune_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// tags writes n pictures that have stripes across, stripes down, both or neither, and a table of it.
func tags(t *testing.T, n int) *data.Dataset {
	t.Helper()
	dir := t.TempDir()
	table := "file,labels\n"
	for i := range n {
		across, down := i&1 == 1, i>>1&1 == 1
		img := image.NewRGBA(image.Rect(0, 0, 32, 32))
		for y := range 32 {
			for x := range 32 {
				noise := uint8((x*7 + y*13 + i*29) % 60)
				c := color.RGBA{60 + noise, 60 + noise/2, 90, 255}
				if across && y/4%2 == 0 {
					c.R += 120
				}
				if down && x/4%2 == 0 {
					c.G += 120
				}
				img.Set(x, y, c)
			}
		}
		var labels []string
		for name, has := range map[string]bool{"across": across, "down": down} {
			if has {
				labels = append(labels, name)
			}
		}
		name := fmt.Sprintf("%02d.png", i)
		write(t, filepath.Join(dir, "train", name), img)
		table += name + "," + strings.Join(labels, "|") + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "train.csv"), []byte(table), 0o644); err != nil {
		t.Fatal(err)
	}
	return dataset(t, dir)
}

// TestTags tunes a task of any number of labels an image: it learns, keeps its thresholds, and goes on from any interruption to
// the same bits.
func TestTags(t *testing.T) {
	v, ds := tinyViT(t), tags(t, 48)
	c := short()
	c.Epochs, c.ProbeEpochs = 3, 3
	want, events := undisturbed(t, v, ds, c)
	got := want.adapter.Config()
	if got.Task != adapter.MultiLabel || len(got.Thresholds) != 2 || got.Labels[0] != "across" {
		t.Fatalf("%s task with labels %q and thresholds %v", got.Task, got.Labels, got.Thresholds)
	}
	if r := want.report; r.Score == nil || *r.Score < 0.9 {
		t.Errorf("mAP %.3f", *r.Score)
	}
	for _, s := range want.report.History {
		if !(s.Accuracy >= 0 && s.Accuracy <= 1) {
			t.Errorf("accuracy %g in %s epoch %d", s.Accuracy, s.Phase, s.Epoch)
		}
	}
	for at := 3; at <= events; at += 7 {
		c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run")}
		r, err := stopAt(v, ds, c, at)
		if err != nil {
			c.Checkpoint.Resume = true
			r, err = stopAt(v, ds, c, 0)
		}
		if err != nil {
			t.Fatalf("event %d: %v", at, err)
		}
		r.check(t, fmt.Sprintf("event %d of %d", at, events), want)
		if fmt.Sprint(r.adapter.Config().Thresholds) != fmt.Sprint(got.Thresholds) {
			t.Errorf("event %d: thresholds %v, expected %v", at, r.adapter.Config().Thresholds, got.Thresholds)
		}
	}
	c.Checkpoint, c.Val = tune.Checkpoint{}, 0
	if a, _, err := tune.Run(context.Background(), v, ds, c, nil); err != nil || a.Config().Thresholds != nil {
		t.Errorf("without images held out: thresholds %v, %v", a.Config().Thresholds, err)
	}
	for name, change := range map[string]func(*tune.Config){
		"balance":   func(c *tune.Config) { c.Balance = true },
		"smoothing": func(c *tune.Config) { c.LabelSmoothing = 0.1 },
	} {
		c := short()
		change(&c)
		if _, _, err := tune.Run(context.Background(), v, ds, c, nil); !errors.Is(err, tune.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestTagsGoOn: what a run makes, another goes on from, head and all.
func TestTagsGoOn(t *testing.T) {
	v, ds := tinyViT(t), tags(t, 32)
	c := short()
	c.Epochs, c.ProbeEpochs, c.Val = 2, 3, 0
	first, _ := undisturbed(t, v, ds, c)
	c.From = first.adapter
	c.Val = 0.25
	next, _ := undisturbed(t, v, ds, c)
	if next.report.StartScore == nil || len(next.report.Warnings) > 0 || next.adapter.Config().Thresholds == nil {
		t.Errorf("started from %v, warnings %q, thresholds %v", next.report.StartScore, next.report.Warnings, next.adapter.Config().Thresholds)
	}
}
