package tune_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/model"
	"github.com/edgeadapt/edgeadapt/sdk/tune"
)

// tinyViT has 3 blocks, patch 8 and random weights.
func tinyViT(t *testing.T) *nn.ViT {
	t.Helper()
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tinyOn(t, be)
}

// tinyOn is the same on be, which it closes.
func tinyOn(t *testing.T, be backend.Backend) *nn.ViT {
	t.Helper()
	src, err := model.Import("../internal/nn/testdata/vit/timm")
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	b, err := model.Quantize(src, quant.Q8C)
	if err != nil {
		t.Fatal(err)
	}
	v, err := nn.NewViT(be, b, nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		v.Close()
		if n := be.MemoryInUse(); n != 0 {
			t.Errorf("%d bytes in use after the run", n)
		}
		be.Close()
	})
	return v
}

// stripes writes n pictures a class: stripes whose direction is the class, with a random-looking phase and colour.
func stripes(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for class := range 3 {
		for i := range n {
			img := image.NewRGBA(image.Rect(0, 0, 32, 32))
			for y := range 32 {
				for x := range 32 {
					at := []int{x, y, x + y}[class] + 5*i
					v := uint8(127 + 100*math.Sin(float64(at)*0.9) + float64((x*7+y*13+i*29)%25))
					img.Set(x, y, color.RGBA{v, v / 2, uint8(i * 11), 255})
				}
			}
			write(t, filepath.Join(dir, "train", fmt.Sprintf("class%d", class), fmt.Sprintf("%02d.png", i)), img)
		}
	}
	return dir
}

func write(t *testing.T, path string, img image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, img); err != nil {
		t.Fatal(err)
	}
}

func dataset(t *testing.T, dir string) *data.Dataset {
	t.Helper()
	ds, err := data.OpenFolder(dir, data.Train)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func short() tune.Config {
	c := tune.Default()
	c.Size, c.Batch, c.Epochs, c.ProbeEpochs, c.Bottleneck, c.Val = 32, 8, 4, 6, 8, 0.25
	c.Optimizer = tune.SGD // four epochs are few for AdamW
	return c
}

func sameTensors(a, b *adapter.Adapter) bool {
	if !slices.Equal(a.Names(), b.Names()) {
		return false
	}
	for _, name := range a.Names() {
		if !slices.Equal(a.Tensor(name).Data, b.Tensor(name).Data) {
			return false
		}
	}
	return true
}

// TestRunIsRepeatable: same seed, same bits, also when the tokens are cached in a file; another seed, other bits.
func TestRunIsRepeatable(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 8))
	run := func(change func(*tune.Config)) *adapter.Adapter {
		c := short()
		c.Val = 0
		change(&c)
		a, _, err := tune.Run(context.Background(), v, ds, c, nil)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	first := run(func(*tune.Config) {})
	if !sameTensors(first, run(func(*tune.Config) {})) {
		t.Error("two runs differ")
	}
	if !sameTensors(first, run(func(c *tune.Config) { c.CacheBytes = 1 })) {
		t.Error("a run with its tokens in a file differs")
	}
	if sameTensors(first, run(func(c *tune.Config) { c.Seed = 1 })) {
		t.Error("control: another seed gives the same adapter")
	}
}

// TestRunNeverBelowProbe: a rate that ruins the adapter returns the probe.
func TestRunNeverBelowProbe(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 12))
	for _, lr := range []float64{0.02, 3} {
		c := short()
		c.LR = lr
		a, rep, err := tune.Run(context.Background(), v, ds, c, nil)
		if errors.Is(err, tune.ErrDiverged) && lr > 1 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if *rep.Score < *rep.ProbeScore {
			t.Errorf("rate %g: validation accuracy %.3f, the probe has %.3f", lr, *rep.Score, *rep.ProbeScore)
		}
		if branches := len(a.Config().Blocks); (rep.BestEpoch == 0) != (branches == 0) {
			t.Errorf("rate %g: best epoch %d, %d blocks have a branch", lr, rep.BestEpoch, branches)
		}
	}
}

// TestLateBlocksStartFromCache: the adapter of late blocks has no branch below and learns.
func TestLateBlocksStartFromCache(t *testing.T) {
	v, ds := tinyViT(t), dataset(t, stripes(t, 12))
	c := short()
	c.Blocks, c.Val, c.Epochs = []int{2}, 0, 8
	var phases []tune.Phase
	a, rep, err := tune.Run(context.Background(), v, ds, c, func(e tune.Event) {
		if !slices.Contains(phases, e.Phase) {
			phases = append(phases, e.Phase)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Config().Blocks; !slices.Equal(got, []int{2}) {
		t.Errorf("branches in blocks %v", got)
	}
	if want := []tune.Phase{tune.Encode, tune.Probe, tune.Adapter}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, expected %v", phases, want)
	}
	h := rep.History
	if last := h[len(h)-1]; last.Loss >= h[0].Loss || last.Phase != tune.Adapter {
		t.Errorf("loss from %g to %g", h[0].Loss, last.Loss)
	}
	if len(a.Record()) == 0 {
		t.Error("the adapter has no training record")
	}
}

func TestRunSkipsUnreadableImages(t *testing.T) {
	dir := stripes(t, 6)
	bad := filepath.Join(dir, "train", "class1", "03.png")
	if err := os.WriteFile(bad, []byte("\x89PNG\r\n\x1a\n but no more"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := short()
	c.Val = 0
	_, rep, err := tune.Run(context.Background(), tinyViT(t), dataset(t, dir), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(rep.Skipped) != 1 || rep.Skipped[0].Path != bad || rep.Train != 17 {
		t.Errorf("skipped %v, trained on %d images", rep.Skipped, rep.Train)
	}
}

func TestRunErrors(t *testing.T) {
	v, dir := tinyViT(t), stripes(t, 4)
	ds := dataset(t, dir)
	unreadable := stripes(t, 2)
	for i := range 2 {
		if err := os.WriteFile(filepath.Join(unreadable, "train", "class2", fmt.Sprintf("%02d.png", i)), []byte("\x89PNG no"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx    context.Context
		ds     *data.Dataset
		change func(*tune.Config)
		want   error
		text   string
	}{
		"class without a readable image": {context.Background(), dataset(t, unreadable), func(*tune.Config) {}, data.ErrDataset, "class2"},
		"size":                           {context.Background(), ds, func(c *tune.Config) { c.Size = 33 }, tune.ErrConfig, "33"},
		"blocks":                         {context.Background(), ds, func(c *tune.Config) { c.Blocks = []int{3} }, tune.ErrConfig, "1 to 3"},
		"bottleneck":                     {context.Background(), ds, func(c *tune.Config) { c.Bottleneck = 0 }, tune.ErrConfig, "bottleneck"},
		"rate":                           {context.Background(), ds, func(c *tune.Config) { c.LR = math.NaN() }, tune.ErrConfig, "rate"},
		"optimizer":                      {context.Background(), ds, func(c *tune.Config) { c.Optimizer = "adam" }, tune.ErrConfig, "sgd or adamw"},
		"weight decay":                   {context.Background(), ds, func(c *tune.Config) { c.WeightDecay = -0.1 }, tune.ErrConfig, "weight decay -0.1"},
		"label smoothing":                {context.Background(), ds, func(c *tune.Config) { c.LabelSmoothing = 1 }, tune.ErrConfig, "label smoothing 1"},
		"clip":                           {context.Background(), ds, func(c *tune.Config) { c.ClipNorm = float32(math.NaN()) }, tune.ErrConfig, "norm NaN"},
		"cancelled":                      {cancelled, ds, func(*tune.Config) {}, context.Canceled, ""},
	} {
		cfg := short()
		c.change(&cfg)
		a, _, err := tune.Run(c.ctx, v, c.ds, cfg, nil)
		if !errors.Is(err, c.want) || a != nil || !strings.Contains(fmt.Sprint(err), c.text) {
			t.Errorf("%s: error %v, expected %v with %q", name, err, c.want, c.text)
		}
	}
}

// TestCancelDuringTraining stops between two steps and frees everything.
func TestCancelDuringTraining(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := short()
	_, _, err := tune.Run(ctx, tinyViT(t), dataset(t, stripes(t, 6)), c, func(e tune.Event) {
		if e.Phase == tune.Adapter {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
