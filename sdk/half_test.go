package sdk_test

import (
	"context"
	"errors"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
)

// TestHalfActivations: with +f16 features are a little other ones on Vulkan and the very same on the CPU, measurements and plans say
// so, and training steps are those of float32.
func TestHalfActivations(t *testing.T) {
	gputest.Require(t)
	ctx, dir := context.Background(), t.TempDir()
	for _, family := range []string{"vit", "swin"} {
		cpu, half := tinyFeatures(t, "cpu", family, quant.Q8C, "float"), tinyFeatures(t, "cpu", family, quant.Q8C, "float+f16")
		if !sameFloats(cpu, half) {
			t.Errorf("%s: the CPU rounds to float16", family)
		}
		plain, half := tinyFeatures(t, "vulkan:0", family, quant.Q8C, "float", sdk.WithCacheDir(dir)), tinyFeatures(t, "vulkan:0", family, quant.Q8C, "float+f16", sdk.WithCacheDir(dir))
		if c := cosine(half, plain); c < 0.9999 || sameFloats(half, plain) {
			t.Errorf("%s: cosine of float16 to float32 %.7f", family, c)
		}
	}
	rt, err := sdk.Open(ctx, sdk.WithDevice("vulkan:0"), sdk.WithActivations("auto+f16"), sdk.WithValidation(), sdk.WithCacheDir(dir))
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	bb, err := rt.UseBackbone(ctx, tinyOf(t, "vit", quant.Q8C))
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range map[bool]string{false: "int8+f16", true: "float"} {
		m, err := bb.Measure(ctx, sdk.MeasureConfig{Runs: 1, Step: step})
		if err != nil || m.Activations != want {
			t.Errorf("measured: step %v, %+v, %v, expected %s", step, m, err, want)
		}
		p, err := bb.Plan(ctx, sdk.MeasureConfig{Step: step})
		if err != nil || p.Activations != want {
			t.Errorf("planned: step %v, %+v, %v, expected %s", step, p, err, want)
		}
	}
}

// TestActivationNames: a storage that there is not is refused.
func TestActivationNames(t *testing.T) {
	for _, name := range []string{"float+f32", "+f16", "int8 +f16", "float+f16+f16", "half"} {
		rt, err := sdk.Open(context.Background(), sdk.WithDevice("cpu"), sdk.WithActivations(name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rt.UseBackbone(context.Background(), tinyOf(t, "vit", quant.Q8C)); !errors.Is(err, sdk.ErrOption) {
			t.Errorf("%q: %v, expected ErrOption", name, err)
		}
		rt.Close()
	}
}

func sameFloats(a, b []float32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}
