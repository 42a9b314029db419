package calibrate

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// TestSmooth: smoothed weights are the same function, and lose no more to int8 activations, in all architectures.
func TestSmooth(t *testing.T) {
	for _, c := range []struct {
		name  string
		parts []string
		side  int
	}{
		{"vit", []string{"vit", "timm"}, 32},
		{"layer scale", []string{"dinov2", "hf"}, 0},
		{"swin", []string{"swin", "timm"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			be, src := open(t, 2), source(t, c.parts...)
			if c.side == 0 {
				c.side, _ = src.Config().ImageSize()
			}
			seen, others := waves(1, 12, c.side), waves(2, 6, c.side)
			quantized := func(scheme quant.Scheme) *model.Backbone {
				b, err := model.Quantize(src, scheme)
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			plain := quantized(quant.Q8C)
			last := 0
			b, err := Run(context.Background(), be, src, quant.Q8C, seen, 2, func(done, of int) {
				if last++; done != last || of != len(seen) {
					t.Errorf("progress tells %d of %d", done, of)
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			if last != len(seen) || b.Fingerprint() != plain.Fingerprint() || b.Scheme() != quant.Q8C || b.FullRange() {
				t.Errorf("%s of scheme %s, full range %t, %d images", b.Fingerprint(), b.Scheme(), b.FullRange(), last)
			}
			_, want := deviation(t, be, quantized(quant.F32), nn.FloatActivations, others, nil)
			float, _ := deviation(t, be, b, nn.FloatActivations, others, want)
			wasFloat, _ := deviation(t, be, plain, nn.FloatActivations, others, want)
			int8s, _ := deviation(t, be, b, nn.Int8Activations, others, want)
			was, _ := deviation(t, be, plain, nn.Int8Activations, others, want)
			t.Logf("deviation %.4g with float activations, %.4g with int8; not smoothed %.4g, %.4g", float, int8s, wasFloat, was)
			// Random weights have no channels of large values: little is gained, and little may be lost.
			if float > 1.5*wasFloat || int8s > 1.5*was {
				t.Error("smoothed weights are farther from float ones")
			}
		})
	}
}

// TestSmoothOutliers: channels that are much larger than the others cost int8 activations most of their bits, and a smoothed
// network next to nothing.
func TestSmoothOutliers(t *testing.T) {
	be, src := open(t, 2), outliers(t)
	seen, others := waves(1, 8, 32), waves(2, 4, 32)
	float, err := model.Quantize(src, quant.F32)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := model.Quantize(src, quant.Q8C)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Run(context.Background(), be, src, quant.Q8C, seen, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, want := deviation(t, be, float, nn.FloatActivations, others, nil)
	was, _ := deviation(t, be, plain, nn.Int8Activations, others, want)
	got, _ := deviation(t, be, b, nn.Int8Activations, others, want)
	t.Logf("deviation %.4g, not smoothed %.4g", got, was)
	if got > was/10 {
		t.Errorf("deviation %.4g, not smoothed %.4g", got, was)
	}
}

// outliers is a network whose norms write three columns 100 times as large, and whose layers read them with weights that
// are so much smaller.
func outliers(t *testing.T) *model.Source {
	t.Helper()
	from, to := filepath.Join("..", "nn", "testdata", "vit", "timm"), t.TempDir()
	for _, name := range []string{"config.json", "preprocessor_config.json"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := checkpoint.Open(filepath.Join(from, "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []checkpoint.Entry
	for _, name := range f.Names() {
		x, err := f.Float32(name)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = slices.Clone(x.Data)
		norm := strings.Contains(name, ".norm1.") || strings.Contains(name, ".norm2.")
		layer := strings.HasSuffix(name, model.LayerQKV+".weight") || strings.HasSuffix(name, model.LayerFC1+".weight")
		for i := range x.Data {
			switch column := i % x.Shape[len(x.Shape)-1]; {
			case column != 3 && column != 17 && column != 40:
			case norm:
				x.Data[i] *= 100
			case layer:
				x.Data[i] /= 100
			}
		}
		entries = append(entries, checkpoint.Float32Entry(name, x))
	}
	if err := checkpoint.WriteFile(filepath.Join(to, "model.safetensors"), nil, entries); err != nil {
		t.Fatal(err)
	}
	src, err := model.Import(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

// TestSmoothing: columns of activations and of weights come to the same range; those without a range stay.
func TestSmoothing(t *testing.T) {
	w := tensor.Tensor{Shape: tensor.Shape{2, 4}, Data: []float32{1, -2, 0, 5, -4, 0.5, 0, 1}}
	x := []float32{16, 0.5, 3, 0}
	for j, m := range smoothing(x, w) {
		want := []float64{2, 0.5, 1, 1}[j]
		if math.Abs(float64(m)-want) > 1e-6 {
			t.Errorf("column %d: factor %v, expected %v", j, m, want)
		}
	}
}

// TestSmoothNeedsBothSides: factors in the weights alone, or those of one norm in the other, are another function.
func TestSmoothNeedsBothSides(t *testing.T) {
	src := source(t, "vit", "timm")
	be, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	images, factors, swapped := waves(3, 2, 32), map[string][]float32{}, map[string][]float32{}
	c := src.Config()
	for i := range c.Depth {
		for n, layer := range smoothedLayers {
			f := make([]float32, c.Dim)
			for j := range f {
				f[j] = float32(int(1) << ((j + n) % 3)) // exact in float32
			}
			factors[c.LinearName(i, layer)] = f
			swapped[c.LinearName(i, smoothedLayers[1-n])] = f
		}
	}
	float, err := model.Quantize(src, quant.F32)
	if err != nil {
		t.Fatal(err)
	}
	_, want := deviation(t, be, float, nn.FloatActivations, images, nil)
	right, err := model.QuantizeSmoothed(src, factors)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := deviation(t, be, right, nn.FloatActivations, images, want); d > 1e-2 {
		t.Errorf("deviation %g", d)
	}
	for name, f := range map[string][]float32{"head": {1}, c.LinearName(0, model.LayerProj): make([]float32, c.Dim), c.LinearName(0, model.LayerQKV): {1, 2}, c.LinearName(1, model.LayerFC1): make([]float32, c.Dim)} {
		if _, err := model.QuantizeSmoothed(src, map[string][]float32{name: f}); !errors.Is(err, model.ErrLayout) {
			t.Errorf("factors of %s: %v, expected ErrLayout", name, err)
		}
	}
	// The norms of one and the weights of the other.
	other, err := model.QuantizeSmoothed(src, swapped)
	if err != nil {
		t.Fatal(err)
	}
	wrong := map[string]quant.Matrix{}
	for i := range c.Depth {
		for _, layer := range smoothedLayers {
			m, _ := other.Linear(i, layer)
			wrong[c.LinearName(i, layer)+".weight"] = m
		}
	}
	mixed, err := right.Exchange(wrong)
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := deviation(t, be, mixed, nn.FloatActivations, images, want); d < 0.1 {
		t.Errorf("deviation %g with exchanged factors", d)
	}
}
