package sdk_test

import (
	"context"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
)

// TestInt4Features: int4 weights serve with float and with int8 activations, close to the float weights and to each other.
func TestInt4Features(t *testing.T) {
	features := func(scheme quant.Scheme, activations string) []float32 {
		rt, err := sdk.Open(context.Background(), sdk.WithDevice("cpu"), sdk.WithActivations(activations))
		if err != nil {
			t.Fatal(err)
		}
		defer rt.Close()
		bb, err := rt.UseBackbone(context.Background(), tiny(t, scheme))
		if err != nil {
			t.Fatal(err)
		}
		f, err := bb.Features(context.Background(), picture(t, "rgb.png"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	want := features(quant.F32, "float")
	for _, scheme := range []quant.Scheme{quant.Q4G128, quant.Q4G, quant.Q4G32} {
		f, i := features(scheme, "float"), features(scheme, "int8")
		c := cosine(f, want) // random weights: measured 0.980 to 0.986
		if c < 0.95 || c > 0.9999 {
			t.Errorf("%s: cosine to float32 weights %.5f", scheme, c)
		}
		if c := cosine(f, i); c < 0.999 || c == 1 {
			t.Errorf("%s: cosine of int8 to float activations %.6f", scheme, c)
		}
	}
}

func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i, v := range a {
		ab, aa, bb = ab+float64(v)*float64(b[i]), aa+float64(v)*float64(v), bb+float64(b[i])*float64(b[i])
	}
	return ab / math.Sqrt(aa*bb)
}
