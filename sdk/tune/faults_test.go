package tune_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/disk/disktest"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// TestFaults fails every single file operation of a run's checkpoints in turn, and then runs out of space at many bytes.
// Training goes on to the same bits; a warning names the file; and what a crash leaves at that moment, or later, resumes.
func TestFaults(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := short()
	c.Epochs, c.ProbeEpochs = 2, 2
	want, _ := undisturbed(t, v, ds, c)
	run := func(name string, f *disktest.Failing) (reached bool) {
		t.Helper()
		c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 1}
		var warned, steps int
		var at *tune.Progress
		a, rep, err := tune.RunOn(context.Background(), f, v, ds, c, func(e tune.Event) {
			steps++
			if e.Warning == "" {
				return
			}
			if warned++; !strings.Contains(e.Warning, c.Checkpoint.Path) {
				t.Errorf("%s: warning %q", name, e.Warning)
			}
			if at, err := c.Checkpoint.Unfinished(); err != nil || at == nil && steps > 12 {
				t.Errorf("%s: at the fault %v, %v is left", name, at, err)
			}
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		result{a, rep}.check(t, name, want)
		if f.Failed != (warned > 0) || f.Failed && !slices.ContainsFunc(rep.Warnings, func(w string) bool { return strings.Contains(w, f.Err().Error()) }) {
			t.Errorf("%s: fault %v, %d warnings %q", name, f.Failed, warned, rep.Warnings)
		}
		if at, err = c.Checkpoint.Unfinished(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if at == nil {
			return f.Failed
		}
		c.Checkpoint.Resume = true
		got, err := stopAt(v, ds, c, 0)
		if err != nil {
			t.Fatalf("%s: resumed: %v", name, err)
		}
		got.check(t, name+", resumed", want)
		return f.Failed
	}
	for _, op := range []string{"create", "write", "sync", "close", "rename", "syncdir"} {
		n := 0
		for run(fmt.Sprintf("%s %d", op, n), &disktest.Failing{Op: op, Nth: n}) {
			n++
		}
		if n < 5 {
			t.Errorf("%s: %d of these operations in a run", op, n)
		}
	}
	for room := 0; run(fmt.Sprintf("room for %d bytes", room), &disktest.Failing{Op: "space", Room: room}); room += 31013 {
	}
}

// TestFullDiskAtCancel: the error says that no newer checkpoint could be written, and the one before it resumes.
func TestFullDiskAtCancel(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	c := short()
	want, _ := undisturbed(t, v, ds, c)
	c.Checkpoint = tune.Checkpoint{Path: filepath.Join(t.TempDir(), "run"), Every: 1000}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	full := &disktest.Failing{Op: "space", Room: 1 << 30}
	_, _, err := tune.RunOn(ctx, full, v, ds, c, func(e tune.Event) {
		if e.Phase == tune.Adapter && e.Epoch == 3 {
			full.Room = 100
			cancel()
		}
	})
	var stop *tune.Stopped
	if !errors.As(err, &stop) || !errors.Is(stop.Lost, full.Err()) || stop.Kept == nil || stop.Kept.Epoch != 3 || !strings.Contains(err.Error(), c.Checkpoint.Path) {
		t.Fatalf("error %v", err)
	}
	c.Checkpoint.Resume = true
	got, err := stopAt(v, ds, c, 0)
	if err != nil {
		t.Fatal(err)
	}
	got.check(t, "resumed", want)
}
