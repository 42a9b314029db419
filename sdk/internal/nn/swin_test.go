package nn_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
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
