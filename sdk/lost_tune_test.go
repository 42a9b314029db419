package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// squares is a data set of two classes, n pictures each.
func squares(t *testing.T, n int) *data.Dataset {
	t.Helper()
	dir := t.TempDir()
	for c, class := range []string{"bright", "dark"} {
		if err := os.Mkdir(filepath.Join(dir, class), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 32, 32))
			for p := range 32 * 32 {
				v := uint8(40 + 120*c + (p*(i+3))%60)
				img.Set(p%32, p/32, color.RGBA{v, v / 2, uint8(9 * i), 255})
			}
			f, err := os.Create(filepath.Join(dir, class, fmt.Sprintf("%02d.png", i)))
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(png.Encode(f, img), f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
	ds, err := data.OpenFolder(dir, data.Train)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestTuneSurvivesLoss: a run whose device is lost goes on from its checkpoint on the device opened again, with the same
// kernels, to the same bits; a second loss ends it with an error that says it can be resumed, and resumed it is.
func TestTuneSurvivesLoss(t *testing.T) {
	ctx := context.Background()
	ds := squares(t, 12)
	run := func(lost func(run, opens int) bool, resume bool, path string) (string, *machine, int, error) {
		t.Helper()
		g := newGPU(strings.Repeat("0", 32), "integrated", 0)
		g.lost = lost
		m := &machine{gpus: []*fakeGPU{g}}
		_, bb := openOn(t, m, sdk.WithDevice("vulkan:0"))
		c := tune.Default()
		c.Bottleneck, c.Size, c.Epochs, c.ProbeEpochs, c.Batch, c.Workers = 4, 32, 3, 2, 4, 1
		c.Checkpoint = tune.Checkpoint{Path: path, Resume: resume, Every: 2}
		a, _, err := bb.Tune(ctx, ds, c, nil)
		if err != nil {
			return "", m, g.runs, err
		}
		digest, err := a.Digest()
		return digest, m, g.runs, err
	}
	file := func() string { return filepath.Join(t.TempDir(), "a.run") }
	want, _, runs, err := run(nil, false, file())
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{1, runs / 3, runs - 2} {
		got, m, _, err := run(func(run, _ int) bool { return run == at }, false, file())
		if err != nil || got != want {
			t.Errorf("lost at run %d of %d: %s, %v, expected %s", at, runs, got, err, want)
		}
		if !slices.Equal(m.opened, []string{"vulkan:0 usual", "vulkan:0 careful"}) {
			t.Errorf("opened %q", m.opened)
		}
	}
	path := file()
	_, _, _, err = run(func(run, opens int) bool { return run == runs/2 || opens == 2 }, false, path)
	if !errors.Is(err, sdk.ErrDeviceLost) || !strings.Contains(err.Error(), "resumed") {
		t.Errorf("lost twice: %v", err)
	}
	if got, _, _, err := run(nil, true, path); err != nil || got != want {
		t.Errorf("resumed: %s, %v, expected %s", got, err, want)
	}
	if _, _, _, err := run(func(run, _ int) bool { return run == runs/2 }, false, ""); !errors.Is(err, sdk.ErrDeviceLost) {
		t.Errorf("without a checkpoint: %v", err)
	}
}
