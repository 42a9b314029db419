package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
)

const board = "0123456789abcdef0123456789abcdef"

func newGPU(uuid, kind string, cost time.Duration) *fakeGPU {
	return &fakeGPU{info: sdk.Device{ID: "vulkan:" + uuid[:1], Name: "fake " + uuid[:1], Kind: kind, UUID: uuid, Driver: "1.0"}, cost: cost}
}

// openOn opens a Runtime on a machine and loads a tiny backbone.
func openOn(t *testing.T, m *machine, opts ...sdk.Option) (*sdk.Runtime, *sdk.Backbone) {
	t.Helper()
	rt, err := sdk.Open(context.Background(), append([]sdk.Option{m.option()}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	bb, err := rt.UseBackbone(context.Background(), tiny(t, quant.F32))
	if err != nil {
		t.Fatal(err)
	}
	return rt, bb
}

// TestAutoChoosesTheFastest: the device that a pass takes least time on, unless it is a software driver, fails its self-test
// or gives other features.
func TestAutoChoosesTheFastest(t *testing.T) {
	const ms = time.Millisecond
	other := strings.Repeat("9", 32)
	faulty, wrong := newGPU(board, "integrated", ms), newGPU(board, "integrated", ms)
	faulty.faulty, wrong.wrong = true, true
	for _, tt := range []struct {
		name string
		gpus []*fakeGPU
		want string
	}{
		{"no GPU", nil, ""},
		{"a faster GPU", []*fakeGPU{newGPU(board, "integrated", 4*ms)}, board},
		{"a slower GPU", []*fakeGPU{newGPU(board, "integrated", 11*ms)}, ""},
		{"one as fast", []*fakeGPU{newGPU(board, "integrated", 10*ms)}, ""},
		{"a software driver", []*fakeGPU{newGPU(board, "software", ms)}, ""},
		{"the faster of two", []*fakeGPU{newGPU(board, "discrete", 4*ms), newGPU(other, "integrated", 3*ms)}, other},
		{"a faulty one", []*fakeGPU{faulty, newGPU(other, "integrated", 3*ms)}, other},
		{"a faulty one alone", []*fakeGPU{faulty}, ""},
		{"one that is wrong", []*fakeGPU{wrong}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &machine{cpuCost: 10 * ms, gpus: tt.gpus}
			rt, bb := openOn(t, m)
			if got := bb.Device(); got.UUID != tt.want || rt.Device() != got {
				t.Errorf("chose %+v, expected %q", got, tt.want)
			}
			if _, err := bb.Predict(context.Background(), gradient(50, 40), nil); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAutoRemembers: what was measured is not measured again, until the model or the driver changes or the memo is damaged.
func TestAutoRemembers(t *testing.T) {
	dir := t.TempDir()
	g := newGPU(board, "integrated", time.Millisecond)
	load := func(opts ...sdk.Option) int {
		t.Helper()
		m := &machine{cpuCost: 10 * time.Millisecond, gpus: []*fakeGPU{g}}
		g.runs = 0
		_, bb := openOn(t, m, append(opts, sdk.WithCacheDir(dir))...)
		if bb.Device().UUID != board {
			t.Errorf("chose %+v", bb.Device())
		}
		return g.runs
	}
	if load() == 0 {
		t.Error("nothing was measured")
	}
	if n := load(); n != 0 {
		t.Errorf("%d passes to measure what is known", n)
	}
	files, err := filepath.Glob(filepath.Join(dir, "choice-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("memos %q, %v", files, err)
	}
	if err := os.WriteFile(files[0], []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if load() == 0 {
		t.Error("a damaged memo was believed")
	}
	if load(sdk.WithActivations("float")) == 0 {
		t.Error("the memo of other activations was believed")
	}
	if load(sdk.WithActivations("float+f16")) == 0 {
		t.Error("the memo of another storage was believed")
	}
	g.info.Driver = "2.0"
	if load() == 0 {
		t.Error("the memo of another driver was believed")
	}
}

// TestLostDevice: whatever loses the device, and however often, callers get the right result, from the device opened again and
// then from the CPU, with their adapters; the logger and Stats tell.
func TestLostDevice(t *testing.T) {
	ctx := context.Background()
	m := &machine{}
	_, plain := openOn(t, m, sdk.WithDevice("cpu"))
	picture := gradient(50, 40)
	want, err := plain.Predict(ctx, picture, attach(t, plain, task(t, plain, "par")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		lost   func(run, opens int) bool
		opened []string
		losses uint64
		device string
	}{
		{"never", func(run, opens int) bool { return false }, []string{"vulkan:0 usual"}, 0, "vulkan:0"},
		{"at the first run", func(run, opens int) bool { return run == 1 }, []string{"vulkan:0 usual", "vulkan:0 safe"}, 1, "vulkan:0"},
		{"in the second call", func(run, opens int) bool { return run == 2 }, []string{"vulkan:0 usual", "vulkan:0 safe"}, 1, "vulkan:0"},
		{"twice", func(run, opens int) bool { return run == 1 || opens == 2 && run == 3 }, []string{"vulkan:0 usual", "vulkan:0 safe", "cpu"}, 2, "cpu"},
		{"always", func(run, opens int) bool { return true }, []string{"vulkan:0 usual", "vulkan:0 safe", "cpu"}, 2, "cpu"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGPU(strings.Repeat("0", 32), "integrated", 0)
			g.lost = tt.lost
			m := &machine{gpus: []*fakeGPU{g}}
			var log bytes.Buffer
			rt, bb := openOn(t, m, sdk.WithDevice("vulkan:0"), sdk.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			a := attach(t, bb, task(t, bb, "par"))
			for range 3 {
				got, err := bb.Predict(ctx, picture, a)
				if err != nil || !equal(got, want) {
					t.Fatalf("%v, %v, expected %v", got.Labels, err, want.Labels)
				}
			}
			if !slices.Equal(m.opened, tt.opened) || rt.Stats().Losses != tt.losses || bb.Device().ID != tt.device {
				t.Errorf("opened %q, expected %q; %d losses; on %s", m.opened, tt.opened, rt.Stats().Losses, bb.Device().ID)
			}
			if told := strings.Contains(log.String(), "device lost"); told != (tt.losses > 0) {
				t.Errorf("log: %s", log.String())
			}
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLostUnderLoad: many goroutines with several adapters, on two backbones of a device that is lost again and again.
func TestLostUnderLoad(t *testing.T) {
	ctx := context.Background()
	g := newGPU(strings.Repeat("0", 32), "integrated", 0)
	g.lost = func(run, opens int) bool { return run%7 == 0 }
	m := &machine{gpus: []*fakeGPU{g}}
	rt, first := openOn(t, m, sdk.WithDevice("vulkan:0"))
	second, err := rt.UseBackbone(ctx, tiny(t, quant.F32))
	if err != nil {
		t.Fatal(err)
	}
	picture := gradient(50, 40)
	errs := make(chan error, 8)
	for i := range cap(errs) {
		bb := []*sdk.Backbone{first, second}[i%2]
		var a *sdk.Adapter
		if i >= 4 {
			a = attach(t, bb, task(t, bb, "par"))
		}
		go func() {
			for range 6 {
				if _, err := bb.Predict(ctx, picture, a); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if rt.Stats().Losses != 2 || first.Device().Kind != "cpu" || second.Device().Kind != "cpu" {
		t.Errorf("%d losses, on %s and %s", rt.Stats().Losses, first.Device().ID, second.Device().ID)
	}
}

// TestWarm: afterwards a prediction compiles nothing more.
func TestWarm(t *testing.T) {
	ctx := context.Background()
	g := newGPU(board, "integrated", 0)
	m := &machine{gpus: []*fakeGPU{g}}
	_, bb := openOn(t, m, sdk.WithDevice("vulkan:0"))
	a := attach(t, bb, task(t, bb, "par"))
	if err := bb.Warm(ctx); err != nil {
		t.Fatal(err)
	}
	if err := bb.Warm(ctx, a); err != nil || g.runs != 2 {
		t.Fatalf("%d passes, %v", g.runs, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if err := bb.Warm(ctx, a); !errors.Is(err, sdk.ErrClosed) {
		t.Errorf("with a closed adapter: %v", err)
	}
}
