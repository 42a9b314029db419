//go:build fidelity

package sdk_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/data"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// fidelityVariable names the folder of TestFidelity, with models/vit-s14 and data/TASK/{train,test}. The test takes minutes and
// pictures that are not part of the project, so it has a build tag of its own.
const fidelityVariable = "EDGEADAPT_FIDELITY"

// TestFidelity measures how close quantised weights stay to float32 ones on a published ViT-S/14: the mean cosine of all
// tokens of 30 natural images, ten of each task's test folder, at 224 pixels. Calibration sees images of the train folders.
func TestFidelity(t *testing.T) {
	root := os.Getenv(fidelityVariable)
	if root == "" {
		t.Fatalf("set %s to a folder with models/vit-s14 and data", fidelityVariable)
	}
	src, err := model.Import(filepath.Join(root, "models", "vit-s14"))
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	var train, test []data.Item
	for _, task := range []string{"signs", "blood", "textile"} {
		items, err := data.Pictures(filepath.Join(root, "data", task, "train"))
		if err != nil {
			t.Fatal(err)
		}
		train = append(train, data.Draw(items, 100, 0)...)
		if items, err = data.Pictures(filepath.Join(root, "data", task, "test")); err != nil {
			t.Fatal(err)
		}
		test = append(test, data.Draw(items, 10, 0)...)
	}
	f := fidelity{t: t, be: be, images: tensors(t, src.Config(), test)}
	f.want = f.tokens(quantized(t, src, quant.F32), nn.FloatActivations)
	for _, c := range []struct {
		scheme     quant.Scheme
		images     int // of the calibration, 0 for none
		must, goal float64
		rounded    float64 // what is expected with int8 activations, of features too
	}{
		{quant.Q8C, 0, 0.999, 0.999, 0.999}, {quant.Q8C, 32, 0.999, 0.999, 0.9994}, {quant.Q4G128, 0, 0, 0, 0}, {quant.Q4G, 0, 0.970, 0.970, 0}, {quant.Q4G32, 0, 0, 0, 0},
		{quant.Q4G128, 32, 0, 0, 0}, {quant.Q4G, 32, 0.988, 0.992, 0}, {quant.Q4G32, 32, 0.992, 0.992, 0},
	} {
		b := quantized(t, src, c.scheme)
		if c.images > 0 {
			if b, _, err = sdk.Calibrate(context.Background(), src, c.scheme, train, sdk.Calibration{Images: c.images}); err != nil {
				t.Fatal(err)
			}
		}
		got, features := f.cosine(b, nn.FloatActivations)
		rounded, roundedFeatures := f.cosine(b, nn.Int8Activations)
		t.Logf("%-6s calibrated with %2d images, %5.1f MB: tokens %.5f, features %.5f; with int8 activations %.5f, %.5f", c.scheme, c.images,
			float64(b.Bytes())/1e6, got, features, rounded, roundedFeatures)
		if min(rounded, roundedFeatures) < c.rounded {
			t.Errorf("%s with int8 activations: tokens %.5f, features %.5f, expected %.3f", c.scheme, rounded, roundedFeatures, c.rounded)
		}
		if got < c.must {
			t.Errorf("%s calibrated with %d images: tokens %.5f, expected %.3f", c.scheme, c.images, got, c.must)
		} else if got < c.goal {
			t.Logf("the goal of %.3f is not reached", c.goal)
		}
	}
}

// fidelity compares tokens with those of float weights.
type fidelity struct {
	t      *testing.T
	be     backend.Backend
	images []tensor.Tensor
	want   [][]float32
}

// cosine is the mean over all tokens of all images, and that over their class tokens, which are the features.
func (f fidelity) cosine(b *model.Backbone, acts nn.Activations) (tokens, features float64) {
	dim, count := b.Config().FeatureDim(), 0
	for i, got := range f.tokens(b, acts) {
		for at := 0; at < len(got); at += dim {
			c := cosine(got[at:at+dim], f.want[i][at:at+dim])
			if tokens += c; at == 0 {
				features += c
			}
			count++
		}
	}
	return tokens / float64(count), features / float64(len(f.images))
}

// tokens are those after the last norm, by image.
func (f fidelity) tokens(b *model.Backbone, acts nn.Activations) (all [][]float32) {
	f.t.Helper()
	v, err := nn.NewViT(f.be, b, acts)
	if err != nil {
		f.t.Fatal(err)
	}
	defer v.Close()
	s := f.images[0].Shape
	fwd, err := v.NewForward(nn.ForwardConfig{Batch: 1, Height: s[1], Width: s[2], Pool: b.Config().Pool, Taps: []string{nn.TapTokens}})
	if err != nil {
		f.t.Fatal(err)
	}
	defer fwd.Close()
	for _, x := range f.images {
		y := make([]float32, fwd.Shape(nn.TapTokens).Elems())
		if err := fwd.Run(context.Background(), x.Data, func(fwd *nn.Forward) error { return fwd.Read(nn.TapTokens, y) }); err != nil {
			f.t.Fatal(err)
		}
		all = append(all, y)
	}
	return all
}

func quantized(t *testing.T, src *model.Source, scheme quant.Scheme) *model.Backbone {
	t.Helper()
	b, err := model.Quantize(src, scheme)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tensors are the images as the model without an adapter takes them.
func tensors(t *testing.T, c model.Config, items []data.Item) (all []tensor.Tensor) {
	t.Helper()
	p := c.Preprocess
	pipe := data.Pipeline{Fit: data.Crop, Size: p.Crop, Resize: p.Resize, Interpolation: data.Interpolation(p.Interpolation), Mean: p.Mean, Std: p.Std}
	skipped, err := data.Load(context.Background(), items, pipe, 0, func(_ int, x tensor.Tensor) error { all = append(all, x); return nil })
	if err != nil || len(skipped) > 0 {
		t.Fatalf("%v, skipped %v", err, skipped)
	}
	return all
}
