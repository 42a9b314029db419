package nn_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/backbones/vits14"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/nn"
)

// TestInt8Activations: on the embedded ViT-S/14, features and tokens with int8 activations point where those with float
// ones do, to a mean cosine of 0.999 as for natural images; and they are not the same.
func TestInt8Activations(t *testing.T) {
	host, err := vits14.Open()
	if err != nil {
		t.Fatal(err)
	}
	be, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer be.Close()
	if !be.Info().Int8 {
		t.Skip("this processor has no int8 product")
	}
	const size, batch = 56, 4
	in := smooth(batch, size)
	tokens := func(acts nn.Activations) []float32 {
		v, err := nn.NewViT(be, host, acts)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		f, err := v.NewForward(nn.ForwardConfig{Batch: batch, Height: size, Width: size, Pool: adapter.PoolCLS, Taps: []string{nn.TapTokens}})
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		out := make([]float32, f.Shape(nn.TapTokens).Elems())
		if err := f.Run(context.Background(), in, func(f *nn.Forward) error { return f.Read(nn.TapTokens, out) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	got, want := tokens(nn.Int8Activations), tokens(nn.FloatActivations)
	dim := host.Config().Dim
	mean, rows := 0.0, len(want)/dim
	for i := range rows {
		mean += cosine(got[i*dim:(i+1)*dim], want[i*dim:(i+1)*dim]) / float64(rows)
	}
	if mean < 0.999 || mean > 0.999999 {
		t.Errorf("mean cosine of the tokens is %.6f, expected 0.999 to 0.999999", mean)
	}
}

// smooth makes pictures of a few waves, normalised as the network expects them.
func smooth(batch, size int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	var x []float32
	for range 3 * batch {
		a, b, c, phase := r.NormFloat64()*0.2, r.NormFloat64()*0.2, r.NormFloat64(), 6*r.Float64()
		for i := range size * size {
			x = append(x, float32(c+math.Sin(phase+a*float64(i%size)+b*float64(i/size))))
		}
	}
	return x
}

func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i := range x {
		xy += float64(x[i]) * float64(y[i])
		xx += float64(x[i]) * float64(x[i])
		yy += float64(y[i]) * float64(y[i])
	}
	return xy / math.Sqrt(xx*yy)
}

// TestInt8Unsupported: float weights have no int8 activations, whatever the device.
func TestInt8Unsupported(t *testing.T) {
	be := reference(t)
	if _, err := nn.NewViT(be, importBackbone(t, quant.F32, "vit", "timm"), nn.Int8Activations); !errors.Is(err, nn.ErrActivations) {
		t.Errorf("got %v, expected ErrActivations", err)
	}
}
