package adapter

import (
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
)

// withOptions has every option.
func withOptions(c *Config) {
	c.Placement, c.Norm, c.LearnScale, c.Scale, c.Bottlenecks, c.Pool = Sequential, NormOut, true, 1, []int{3, 7}, PoolMean
}

// TestExport: what Export writes, Import gives back; the authors' own files come out as they went in.
func TestExport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "task.safetensors")
	for name, change := range map[string]func(*Config){"default": nil, "options": withOptions,
		"all blocks": func(c *Config) { c.Blocks, c.Pool, c.HeadNorm, c.Task = []int{0, 1, 2}, PoolCLS, false, MultiLabel },
		"thresholds": withThresholds,
		"linear":     func(c *Config) { c.Method, c.Blocks, c.Bottleneck, c.Scale, c.Dropout = Linear, nil, 0, 0, 0 }} {
		a := tiny(t, change)
		if err := a.Export(path); err != nil {
			t.Fatal(name, err)
		}
		b, err := Import(path, tinyRef, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		want, got := a.Config(), b.Config()
		want.Name, want.Size, want.Fit, want.Interpolation, want.Mean, want.Std = got.Name, got.Size, got.Fit, got.Interpolation, got.Mean, got.Std
		if !reflect.DeepEqual(got, want) || !reflect.DeepEqual(a.tensors, b.tensors) {
			t.Errorf("%s: %+v, expected %+v", name, got, want)
		}
	}
	for _, task := range []string{"par", "seq", "seq_lnin", "par_lnout", "range", "linear"} {
		a, err := Import(taskFile(task), tinyRef, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Export(path); err != nil {
			t.Fatal(err)
		}
		was, now := open(t, taskFile(task)), open(t, path)
		names := was.Names()
		if !slices.Equal(slices.Sorted(slices.Values(names)), slices.Sorted(slices.Values(now.Names()))) {
			t.Errorf("%s: tensors %q, expected %q", task, now.Names(), names)
		}
		for _, name := range names {
			if name == batchesTracked { // a count that nothing uses
				continue
			}
			x, err1 := was.Float32(name)
			y, err2 := now.Float32(name)
			if err := errors.Join(err1, err2); err != nil || !reflect.DeepEqual(x, y) {
				t.Errorf("%s: %s differs (%v)", task, name, err)
			}
		}
	}
	if err := tiny(t, func(c *Config) { c.Pool = PoolNormMean }).Export(path); !errors.Is(err, ErrUnsupported) {
		t.Errorf("norm_mean of a ViT: %v", err)
	}
}

func open(t *testing.T, path string) *checkpoint.File {
	t.Helper()
	f, err := checkpoint.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// TestFormatVersion: a file without options is what earlier releases write and read; one with any is not for them.
func TestFormatVersion(t *testing.T) {
	for _, k := range []struct {
		version string
		change  func(*Config)
	}{{formatVersion, nil}, {formatOptions, withOptions}, {formatOptions, withThresholds}} {
		version, change := k.version, k.change
		metadata, _, err := tiny(t, change).encode()
		if err != nil || metadata[metaVersion] != version {
			t.Errorf("version %q, expected %q (%v)", metadata[metaVersion], version, err)
		}
	}
	const config = `{"name":"cloth","method":"adaptformer","blocks":[0,2],"bottleneck":7,"scale":0.1,"dropout":0.1,"pool":"cls_mean","head_norm":true,` +
		`"task":"single-label","labels":["good","hole","stain"],"size":32,"fit":"squash","interpolation":"bilinear","mean":[0.5,0.5,0.5],"std":[0.2,0.2,0.2]}`
	if got := mustConfig(t, tiny(t, nil)); got != config {
		t.Errorf("configuration %s, earlier releases wrote %s", got, config)
	}
}

// TestStarts: the video code's start moves the features at once, and both leave gains and scales alone.
func TestStarts(t *testing.T) {
	c := tinyConfig()
	withOptions(&c)
	c.Scale = 0.5
	a, err := NewStart(c, tinyRef, 1, VideoStart)
	if err != nil {
		t.Fatal(err)
	}
	for _, leaf := range []string{"down_proj.weight", "up_proj.weight"} {
		x := a.Tensor("blocks.2.adaptmlp." + leaf)
		if s := math.Sqrt(variance(x.Data)); math.Abs(s/videoStd-1) > 0.1 {
			t.Errorf("%s has deviation %g, expected %g", leaf, s, videoStd)
		}
	}
	for leaf, want := range map[string]float32{"adapter_layer_norm_before.weight": 1, "adapter_layer_norm_before.bias": 0, "scale": 0.5, "up_proj.bias": 0} {
		x := a.Tensor("blocks.2.adaptmlp." + leaf).Data
		if len(x) == 0 || slices.ContainsFunc(x, func(v float32) bool { return v != want }) {
			t.Errorf("%s is not all %g", leaf, want)
		}
	}
	if zero, err := New(c, tinyRef, 1); err != nil || !slices.Equal(a.Tensor("head.1.weight").Data, zero.Tensor("head.1.weight").Data) {
		t.Errorf("the start of the branches changes the head (%v)", err)
	}
	if _, err := NewStart(c, tinyRef, 1, "ones"); !errors.Is(err, ErrConfig) {
		t.Errorf("unknown start: %v", err)
	}
}

func TestProportional(t *testing.T) {
	swin := Ref{Name: "swin", Dim: 24, Depth: 6, Stages: []int{2, 2, 2}}
	c := tinyConfig()
	c.Blocks, c.Bottleneck = []int{0, 1, 2, 5}, 10
	if p := c.Proportional(swin); !slices.Equal(p.Bottlenecks, []int{3, 3, 5, 10}) || p.BottleneckOf(2) != 5 || p.BottleneckOf(3) != 0 {
		t.Errorf("%v", p.Bottlenecks)
	}
	c.Bottleneck = 1
	if p := c.Proportional(swin); p.Bottlenecks != nil || p.BottleneckOf(0) != 1 {
		t.Errorf("bottleneck 1: %v", p.Bottlenecks)
	}
	c.Blocks = []int{0, 2}
	if p := c.Proportional(tinyRef); p.Bottlenecks != nil {
		t.Errorf("a ViT: %v", p.Bottlenecks)
	}
}

func TestParseWords(t *testing.T) {
	for _, p := range []Placement{Parallel, Sequential} {
		if got, err := ParsePlacement(p.String()); err != nil || got != p {
			t.Errorf("%s: %v, %v", p, got, err)
		}
	}
	for _, n := range []BranchNorm{NormNone, NormIn, NormOut} {
		if got, err := ParseBranchNorm(n.String()); err != nil || got != n {
			t.Errorf("%s: %v, %v", n, got, err)
		}
	}
	for _, i := range []Init{ZeroStart, VideoStart} {
		if got, err := ParseInit(i.String()); err != nil || got != i {
			t.Errorf("%s: %v, %v", i, got, err)
		}
	}
	_, err1 := ParsePlacement("")
	_, err2 := ParseBranchNorm("before")
	_, err3 := ParseInit("")
	for _, err := range []error{err1, err2, err3} {
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%v", err)
		}
	}
}

// withThresholds makes a multi-label adapter with a threshold a label.
func withThresholds(c *Config) { c.Task, c.Thresholds = MultiLabel, []float32{0.25, 0.5, 1} }

// TestThresholds: they are of a multi-label task, one a label, each a probability.
func TestThresholds(t *testing.T) {
	a := tiny(t, withThresholds)
	if c := a.Config(); c.Threshold(0) != 0.25 || c.Threshold(2) != 1 || tinyConfig().Threshold(1) != 0.5 {
		t.Errorf("thresholds %v", c.Thresholds)
	}
	for name, change := range map[string]func(*Config){
		"single label": func(c *Config) { c.Thresholds = []float32{0.5, 0.5, 0.5} },
		"too few":      func(c *Config) { c.Task, c.Thresholds = MultiLabel, []float32{0.5} },
		"above one":    func(c *Config) { c.Task, c.Thresholds = MultiLabel, []float32{0.5, 0.5, 1.5} },
		"no number":    func(c *Config) { c.Task, c.Thresholds = MultiLabel, []float32{0.5, float32(math.NaN()), 0.5} },
	} {
		c := tinyConfig()
		change(&c)
		if err := c.Validate(tinyRef.Depth); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
