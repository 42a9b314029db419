package sdk_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/library"
)

// TestWatchedFolder serves a folder of adapter files from a Runtime: a replaced file is served without a restart, and the
// version that it replaced is freed after the calls under way.
func TestWatchedFolder(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "task"+library.Extension)
	publish := func(labels ...string) {
		t.Helper()
		a := task(t, bb, "par")
		c := a.Config()
		copy(c.Labels, labels)
		if a, err = a.WithConfig(c); err != nil {
			t.Fatal(err)
		}
		if err := a.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	publish("first")
	w, err := library.Watch(ctx, filepath.Dir(path), library.WatchConfig[*sdk.Adapter]{
		Load:    bb.LoadAdapter,
		Release: func(_ string, old *sdk.Adapter) { _ = old.Close() },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	serves := func(label string) {
		t.Helper()
		for range 1000 {
			a, ok := w.Get("task")
			if !ok {
				t.Fatal("the adapter is gone")
			}
			r, err := bb.Predict(ctx, gradient(40, 32), a)
			if err == nil && slices.ContainsFunc(r.Labels, func(l sdk.Label) bool { return l.Name == label }) {
				return
			}
			time.Sleep(10 * time.Millisecond) // the old version may just have been closed
		}
		t.Fatalf("the label %q is never served", label)
	}
	serves("first")
	publish("second, of another length")
	serves("second, of another length")
}
