package sdk_test

import (
	"context"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
)

// TestInt4Features: int4 weights serve with float and with int8 activations, close to the float weights and to each other.
func TestInt4Features(t *testing.T) {
	for _, family := range []string{"vit", "swin"} {
		want := tinyFeatures(t, "cpu", family, quant.F32, "float")
		for _, scheme := range []quant.Scheme{quant.Q4G128, quant.Q4G, quant.Q4G32} {
			f, i := tinyFeatures(t, "cpu", family, scheme, "float"), tinyFeatures(t, "cpu", family, scheme, "int8")
			c := cosine(f, want) // random weights: measured 0.977 to 0.993
			if c < 0.95 || c > 0.9999 {
				t.Errorf("%s, %s: cosine to float32 weights %.5f", family, scheme, c)
			}
			if c := cosine(f, i); c < 0.999 || c == 1 {
				t.Errorf("%s, %s: cosine of int8 to float activations %.6f", family, scheme, c)
			}
		}
	}
}

// TestInt4Vulkan: Vulkan gives what the CPU does, nearer than one kind of activations is to the other.
func TestInt4Vulkan(t *testing.T) {
	gputest.Require(t)
	dir := t.TempDir() // one self-test for all
	for _, family := range []string{"vit", "swin"} {
		for _, scheme := range []quant.Scheme{quant.Q4G128, quant.Q4G, quant.Q4G32} {
			for _, c := range []struct {
				activations string
				least       float64 // int8 may flip where a middle between two integers is near
			}{{"float", 0.999999}, {"int8", 0.9999}} {
				got, want := tinyFeatures(t, "vulkan:0", family, scheme, c.activations, sdk.WithCacheDir(dir)), tinyFeatures(t, "cpu", family, scheme, c.activations)
				if x := cosine(got, want); x < c.least {
					t.Errorf("%s, %s, %s activations: cosine of Vulkan to the CPU %.7f", family, scheme, c.activations, x)
				}
			}
		}
	}
}

// tinyFeatures are those of a picture by the smallest backbone of a family.
func tinyFeatures(t *testing.T, device, family string, scheme quant.Scheme, activations string, more ...sdk.Option) []float32 {
	t.Helper()
	rt, err := sdk.Open(context.Background(), append(more, sdk.WithDevice(device), sdk.WithActivations(activations), sdk.WithValidation())...)
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(context.Background(), tinyOf(t, family, scheme))
	if err != nil {
		t.Fatal(err)
	}
	f, err := bb.Features(context.Background(), picture(t, "rgb.png"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, v := range a {
		ab, aa, bb = ab+float64(v)*float64(b[i]), aa+float64(v)*float64(v), bb+float64(b[i])*float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}
