package sdk_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"errors"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

const fixtures = "internal/nn/testdata"

// tiny is a ViT of 3 blocks and 17 tokens, quantised.
func tiny(t *testing.T, scheme quant.Scheme) *model.Backbone {
	t.Helper()
	return tinyOf(t, "vit", scheme)
}

// tinyOf is the smallest backbone of a family, "vit" or "swin".
func tinyOf(t *testing.T, family string, scheme quant.Scheme) *model.Backbone {
	t.Helper()
	src, err := model.Import(filepath.Join(fixtures, family, "timm"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	b, err := model.Quantize(src, scheme)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func task(t *testing.T, bb *sdk.Backbone, name string) *adapter.Adapter {
	t.Helper()
	family := "vit"
	if bb.Info().Swin() {
		family = "swin"
	}
	a, err := adapter.Import(filepath.Join(fixtures, family, "task."+name+".safetensors"), bb.Info().Ref(), nil)
	if err != nil {
		t.Fatal(err)
	}
	c := a.Config()
	c.Size, c.Fit = 32, adapter.Crop
	if a, err = a.WithConfig(c); err != nil {
		t.Fatal(err)
	}
	return a
}

// onDevices runs f with an open Runtime per device of this machine and checks that closing it frees everything.
func onDevices(t *testing.T, f func(t *testing.T, rt *sdk.Runtime)) {
	for _, device := range []string{"cpu", "vulkan:0"} {
		t.Run(device, func(t *testing.T) {
			if device != "cpu" {
				gputest.Require(t)
			}
			rt, err := sdk.Open(context.Background(), sdk.WithDevice(device), sdk.WithValidation())
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := rt.Close(); err != nil {
					t.Error(err)
				}
				if n := rt.MemoryInUse(); n != 0 {
					t.Errorf("%d bytes of device memory left after Close", n)
				}
			}()
			f(t, rt)
		})
	}
}

func picture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "pictures", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPicturesToLogits follows a picture file from its bytes to features and logits.
func TestPicturesToLogits(t *testing.T) {
	want, err := checkpoint.Open(filepath.Join("testdata", "pipeline.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer want.Close()
	onDevices(t, func(t *testing.T, rt *sdk.Runtime) {
		bb, err := rt.UseBackbone(context.Background(), tiny(t, quant.F32))
		if err != nil {
			t.Fatal(err)
		}
		a, err := bb.UseAdapter(context.Background(), task(t, bb, "par"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"rgb.png", "gray.png", "rgba.png", "gray16.png", "rgb16.png", "palette.png"} {
			got, err := bb.Features(context.Background(), picture(t, name), a)
			if err != nil {
				t.Fatal(name, err)
			}
			w, err := want.Float32(name + ".features")
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range w.Data {
				if d := float64(got[i] - v); d > 5e-4 || d < -5e-4 || d != d {
					t.Errorf("%s: feature %d is %g, expected %g", name, i, got[i], v)
					break
				}
			}
		}
	})
}

// TestBatchMixesAdapters checks that a batch of mixed requests gives the bits that each gives alone.
func TestBatchMixesAdapters(t *testing.T) {
	onDevices(t, func(t *testing.T, rt *sdk.Runtime) {
		ctx := context.Background()
		bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
		if err != nil {
			t.Fatal(err)
		}
		var reqs []sdk.Request
		for i, name := range []string{"par", "range", "linear", "par", "", "range", "par"} {
			q := sdk.Request{Image: gradient(40+i, 36)}
			if name != "" {
				a, err := bb.UseAdapter(ctx, task(t, bb, name))
				if err != nil {
					t.Fatal(err)
				}
				q.Adapter = a
			}
			reqs = append(reqs, q)
		}
		// Two requests share an adapter, so that a pass has more than one image.
		reqs[3].Adapter, reqs[6].Adapter = reqs[0].Adapter, reqs[0].Adapter
		together, err := bb.PredictBatch(ctx, reqs)
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range reqs {
			alone, err := bb.Predict(ctx, q.Image, q.Adapter)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(alone.Features, together[i].Features) || !slices.Equal(alone.Labels, together[i].Labels) {
				t.Errorf("request %d: in a batch %v, alone %v", i, together[i].Labels, alone.Labels)
			}
		}
		if slices.Equal(together[0].Features, together[3].Features) {
			t.Error("control: different pictures give equal features")
		}
	})
}

// TestConcurrentAdapters lets two goroutines predict with two adapters; each must see its own results throughout.
func TestConcurrentAdapters(t *testing.T) {
	onDevices(t, func(t *testing.T, rt *sdk.Runtime) {
		ctx := context.Background()
		bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for _, name := range []string{"par", "range"} {
			a, err := bb.UseAdapter(ctx, task(t, bb, name))
			if err != nil {
				t.Fatal(err)
			}
			img := gradient(40, 40)
			want, err := bb.Predict(ctx, img, a)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				for range 10 {
					got, err := bb.Predict(ctx, img, a)
					if err != nil {
						t.Error(err)
						return
					}
					if !slices.Equal(got.Labels, want.Labels) {
						t.Errorf("%s: %v, expected %v", name, got.Labels, want.Labels)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestBadInput(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.F32))
	if err != nil {
		t.Fatal(err)
	}
	other := bb.Info().Ref()
	other.Fingerprint = strings.Repeat("0", len(other.Fingerprint))
	foreign, err := adapter.Import(filepath.Join(fixtures, "vit", "task.par.safetensors"), other, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := bb.UseAdapter(ctx, task(t, bb, "par"))
	if err != nil {
		t.Fatal(err)
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, c := range map[string]struct {
		call func() error
		want error
	}{
		"adapter of another backbone": {func() error { _, err := bb.UseAdapter(ctx, foreign); return err }, sdk.ErrIncompatible},
		"text for a picture":          {func() error { _, err := bb.Predict(ctx, strings.NewReader("hello"), a); return err }, sdk.ErrImage},
		"truncated picture":           {func() error { _, err := bb.Predict(ctx, picture(t, "rgb.png")[:500], a); return err }, sdk.ErrImage},
		"a number":                    {func() error { _, err := bb.Predict(ctx, 42, a); return err }, sdk.ErrInput},
		"tensor of wrong shape": {func() error {
			_, err := bb.Predict(ctx, sdk.Tensor{Shape: []int{3, 32, 33}, Data: make([]float32, 3*32*33)}, a)
			return err
		}, sdk.ErrShape},
		"unknown intermediate": {func() error {
			_, err := bb.Intermediates(ctx, sdk.Tensor{Shape: []int{1, 3, 32, 32}, Data: make([]float32, 3*32*32)}, nil, "", "block.3.output")
			return err
		}, sdk.ErrTap},
		"cancelled":      {func() error { _, err := bb.Predict(cancelled, gradient(32, 32), a); return err }, context.Canceled},
		"no such device": {func() error { _, err := sdk.Open(ctx, sdk.WithDevice("vulkan:99")); return err }, sdk.ErrNoDevice},
	} {
		if err := c.call(); !errors.Is(err, c.want) {
			t.Errorf("%s: error %v, expected %v", name, err, c.want)
		}
	}
	if err := rt.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := bb.Predict(ctx, gradient(32, 32), a); !errors.Is(err, sdk.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if err := errors.Join(a.Close(), bb.Close(), rt.Close()); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

// gradient is a picture with some structure.
func gradient(w, h int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.Set(x, y, color.RGBA{uint8(255 * x / w), uint8(255 * y / h), uint8((x*y + 7*w) % 256), 255})
		}
	}
	return img
}

// TestImageKinds checks that a picture gives the same bits however it is handed in.
func TestImageKinds(t *testing.T) {
	ctx := context.Background()
	rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tiny(t, quant.F32))
	if err != nil {
		t.Fatal(err)
	}
	img := gradient(50, 41)
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	want, err := bb.Features(ctx, img, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]any{"bytes": file.Bytes(), "reader": bytes.NewReader(file.Bytes())} {
		got, err := bb.Features(ctx, in, nil)
		if err != nil {
			t.Fatal(name, err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: features differ from those of the image.Image", name)
		}
	}
}
