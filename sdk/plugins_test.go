package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/plugin"
)

// Modules that the tests attach: abuse.wat looks at the number of classes, and 1 is its good day; trim.c cuts off a
// plain border.
const (
	abuseModule = "plugin/testdata/abuse.wasm"
	trimModule  = "../examples/plugins/trim.wasm"
)

// plugged makes an adapter of some classes for bb, with a plug-in unless module is empty.
func plugged(t *testing.T, bb *sdk.Backbone, classes int, task adapter.Task, module string, o adapter.Plugin) *adapter.Adapter {
	t.Helper()
	ref := bb.Info().Ref()
	p := ref.Preprocess
	c := adapter.Config{Method: adapter.Linear, Pool: adapter.PoolCLS, Task: task, Size: 32, Fit: adapter.Squash,
		Interpolation: p.Interpolation, Mean: p.Mean, Std: p.Std}
	for i := range classes {
		c.Labels = append(c.Labels, string(rune('a'+i)))
	}
	a, err := adapter.New(c, ref, 1)
	if err != nil || module == "" {
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	if o.Module, err = os.ReadFile(module); err != nil {
		t.Fatal(err)
	}
	if a, err = a.WithPlugin(&o); err != nil {
		t.Fatal(err)
	}
	return a
}

// onCPU opens the tiny backbone on the CPU.
func onCPU(t *testing.T, opts ...sdk.Option) *sdk.Backbone {
	t.Helper()
	rt, err := sdk.Open(t.Context(), append(opts, sdk.WithDevice("cpu"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := rt.Close(); err != nil {
			t.Error(err)
		}
	})
	bb, err := rt.UseBackbone(t.Context(), tiny(t, quant.F32))
	if err != nil {
		t.Fatal(err)
	}
	return bb
}

func use(t *testing.T, bb *sdk.Backbone, a *adapter.Adapter) *sdk.Adapter {
	t.Helper()
	r, err := bb.UseAdapter(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPluginPreprocess: with the plug-in a picture is judged as the part that it chooses is judged without.
func TestPluginPreprocess(t *testing.T) {
	bb := onCPU(t)
	plain := use(t, bb, plugged(t, bb, 3, adapter.SingleLabel, "", adapter.Plugin{}))
	trim := use(t, bb, plugged(t, bb, 3, adapter.SingleLabel, trimModule, adapter.Plugin{}))
	part := image.Rect(7, 11, 47, 40)
	img := image.NewRGBA(image.Rect(0, 0, 60, 50))
	for y := range 50 {
		for x := range 60 {
			if (image.Point{X: x, Y: y}).In(part) {
				img.Set(x, y, color.RGBA{uint8(60 + 3*x), uint8(255 - 4*y), 90, 255})
			}
		}
	}
	features := func(in any, a *sdk.Adapter) []float32 {
		t.Helper()
		f, err := bb.Features(t.Context(), in, a)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	got, want := features(img, trim), features(img.SubImage(part), plain)
	if !slices.Equal(got, want) {
		t.Error("the picture with the plug-in and its part without differ")
	}
	if slices.Equal(got, features(img, plain)) {
		t.Error("control: the plug-in made no difference")
	}
	rgb, err := data.FromImage(img)
	if err != nil {
		t.Fatal(err)
	}
	x, err := bb.Pipeline(trim).Apply(rgb)
	if err != nil || !slices.Equal(features(x, trim), want) {
		t.Errorf("through the pipeline the features differ (%v)", err)
	}
}

// TestPluginCancel: the caller's context ends a plug-in that looks at a picture, which is then no fault of the plug-in.
func TestPluginCancel(t *testing.T) {
	bb := onCPU(t)
	a := use(t, bb, plugged(t, bb, 1, adapter.SingleLabel, abuseModule, adapter.Plugin{TimeMillis: 10_000}))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := bb.Predict(ctx, gradient(13, 9), a); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sdk.ErrPlugin) {
		t.Errorf("got %v, expected the context's error", err)
	}
	if _, err := bb.Predict(t.Context(), gradient(14, 9), a); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestPluginPostprocess: the plug-in sees every class, whatever the caller asked to see.
func TestPluginPostprocess(t *testing.T) {
	bb := onCPU(t)
	img := gradient(40, 40)
	one := use(t, bb, plugged(t, bb, 1, adapter.SingleLabel, abuseModule, adapter.Plugin{}))
	without := use(t, bb, plugged(t, bb, 1, adapter.SingleLabel, "", adapter.Plugin{}))
	trap := use(t, bb, plugged(t, bb, 6, adapter.MultiLabel, abuseModule, adapter.Plugin{}))
	good := []sdk.Request{{Image: img, Adapter: one, Options: []sdk.PredictOption{sdk.MinScore(1.5)}}, {Image: img}, {Image: img, Adapter: without}}
	for range 2 {
		rs, err := bb.PredictBatch(t.Context(), good)
		if err != nil {
			t.Fatal(err)
		}
		if string(rs[0].Plugin) != `{"calls":1}` || len(rs[0].Labels) != 0 || rs[1].Plugin != nil || rs[2].Plugin != nil {
			t.Errorf("plug-ins said %s, %s, %s", rs[0].Plugin, rs[1].Plugin, rs[2].Plugin)
		}
		_, err = bb.PredictBatch(t.Context(), append(slices.Clone(good), sdk.Request{Image: img, Adapter: trap}))
		if !errors.Is(err, sdk.ErrPlugin) || !strings.Contains(err.Error(), "image 3") {
			t.Errorf("trap: %v", err)
		}
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := bb.Predict(cancelled, img, one); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	if _, err := bb.Predict(t.Context(), img, one); !errors.Is(err, sdk.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestPluginLimits: an adapter whose plug-in is no module, or states more than the host grants, does not load.
func TestPluginLimits(t *testing.T) {
	bb := onCPU(t, sdk.WithPluginLimits(plugin.Limits{MemoryBytes: 1 << 20}))
	for name, c := range map[string]struct {
		module string
		o      adapter.Plugin
		ok     bool
	}{
		"defaults":   {abuseModule, adapter.Plugin{}, true},
		"as granted": {abuseModule, adapter.Plugin{MemoryBytes: 1 << 20, TimeMillis: 10_000}, true},
		"memory":     {abuseModule, adapter.Plugin{MemoryBytes: 1<<20 + 1}, false},
		"time":       {abuseModule, adapter.Plugin{TimeMillis: 10_001}, false},
		"no module":  {"plugins_test.go", adapter.Plugin{}, false},
	} {
		a, err := bb.UseAdapter(t.Context(), plugged(t, bb, 1, adapter.SingleLabel, c.module, c.o))
		if c.ok && err != nil || !c.ok && !errors.Is(err, sdk.ErrPlugin) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			a.Close()
		}
	}
	if plugin.MaxBytes != adapter.MaxPlugin {
		t.Errorf("an adapter carries %d bytes, a plug-in may have %d", adapter.MaxPlugin, plugin.MaxBytes)
	}
}

// TestPluginFile: a plug-in survives the adapter's file.
func TestPluginFile(t *testing.T) {
	bb := onCPU(t)
	file := t.TempDir() + "/a.safetensors"
	if err := plugged(t, bb, 1, adapter.SingleLabel, abuseModule, adapter.Plugin{TimeMillis: 9000}).WriteFile(file); err != nil {
		t.Fatal(err)
	}
	a, err := bb.LoadAdapter(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	r, err := bb.Predict(t.Context(), gradient(33, 32), a)
	if err != nil || !bytes.Equal(r.Plugin, []byte(`{"calls":1}`)) {
		t.Errorf("%s, %v", r.Plugin, err)
	}
}
