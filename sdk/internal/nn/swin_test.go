package nn_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/edgeadapt/edgeadapt/sdk/model"
)

// TestSwinPadding: 9 x 11 patches under windows of 4 are padded, after the shift in timm's files and before it in Hugging
// Face's. The reference's numbers of one order must not pass for those of the other.
func TestSwinPadding(t *testing.T) {
	forEachBackend(t, func(t *testing.T, be backend.Backend, tol tolerance) {
		golden := open(t, "swin", "padding.safetensors")
		for layout, other := range map[string]string{"timm": "hf", "hf": "timm"} {
			v, err := nn.NewViT(be, importBackbone(t, quant.F32, "swin", layout), nn.FloatActivations)
			if err != nil {
				t.Fatal(err)
			}
			defer v.Close()
			got := swinOutputs(t, v, golden.floats("image"))
			for name, x := range got {
				want := golden.floats(layout + "." + name)
				if d, i := worst(x, want.Data); !(d <= tol.outputs*largest(want.Data)) {
					t.Errorf("%s %s: element %d is %g, expected %g", layout, name, i, x[i], want.Data[i])
				}
			}
			wrong := golden.floats(other + ".features")
			if d, _ := worst(got["features"], wrong.Data); d <= 10*tol.outputs*largest(wrong.Data) {
				t.Errorf("%s gives the features of %s to %g", layout, other, d)
			}
		}
	})
}

// swinOutputs is what every block gives for image, and the features.
func swinOutputs(t *testing.T, v *nn.ViT, image tensor.Tensor) map[string][]float32 {
	t.Helper()
	s := image.Shape
	c := nn.ForwardConfig{Batch: s[0], Height: s[2], Width: s[3], Pool: adapter.PoolNormMean, Taps: []string{nn.TapFeatures}}
	for i := range v.Config().Depth {
		c.Taps = append(c.Taps, fmt.Sprintf("block.%d.output", i))
	}
	f, err := v.NewForward(c)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string][]float32{}
	err = f.Run(context.Background(), image.Data, func(f *nn.Forward) error {
		for _, name := range c.Taps {
			out[name] = make([]float32, f.Shape(name).Elems())
			if err := f.Read(name, out[name]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSwinSchemes: whatever the weights are stored as, a backend gives the features and the branches' gradients of the
// definition with the same weights; with other weights they differ.
func TestSwinSchemes(t *testing.T) {
	ref := reference(t)
	image, targets := noise(3, 2*3*side*side), nn.Targets{Classes: []int32{0, 1}}
	for _, scheme := range []quant.Scheme{quant.F16, quant.Q8C} {
		b := importBackbone(t, scheme, "swin", "timm")
		a, err := adapter.Import(filepath.Join("testdata", "swin", "task.par.safetensors"), b.Config().Ref(), nil)
		if err != nil {
			t.Fatal(err)
		}
		want, exact := swinStep(t, ref, b, a, image, targets), swinStep(t, ref, importBackbone(t, quant.F32, "swin", "timm"), a, image, targets)
		forEachBackend(t, func(t *testing.T, be backend.Backend, tol tolerance) {
			for name, x := range swinStep(t, be, b, a, image, targets) {
				bound := tol.gradients
				if name == nn.TapFeatures {
					bound = tol.outputs
				}
				scale := largest(want[name].Data)
				if d, i := worst(x.Data, want[name].Data); !(d <= bound*scale) {
					t.Errorf("%s %s: element %d is %g, expected %g; the largest is %g", scheme, name, i, x.Data[i], want[name].Data[i], scale)
				}
				if d, _ := worst(want[name].Data, exact[name].Data); name == nn.TapFeatures && scheme == quant.Q8C && d < 10*bound*scale {
					t.Errorf("control: %s float32 weights give the features to %g", name, d)
				}
			}
		})
	}
}

// swinStep is the plain features of images and the gradients of a task in a training step over them.
func swinStep(t *testing.T, be backend.Backend, b *model.Backbone, a *adapter.Adapter, images []float32, y nn.Targets) map[string]tensor.Tensor {
	t.Helper()
	v, err := nn.NewViT(be, b, nn.FloatActivations)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	features := swinOutputs(t, v, tensor.Tensor{Shape: tensor.Shape{2, 3, side, side}, Data: images})[nn.TapFeatures]
	out := map[string]tensor.Tensor{nn.TapFeatures: {Shape: tensor.Shape{len(features)}, Data: features}}
	_, step, end := stepOf(t, v, a, nn.StepConfig{Batch: 2, Height: side, Width: side, Gradients: true})
	defer end()
	if _, _, err := step.Run(context.Background(), images, y, 0, 0); err != nil {
		t.Fatal(err)
	}
	for _, name := range a.Names() {
		if strings.HasPrefix(name, "head.0.") {
			continue // statistics have no gradient
		}
		if out[name], err = step.Gradient("grad." + name); err != nil {
			t.Fatal(err)
		}
	}
	return out
}
