package sdk_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk"
)

// TestAdapterStorage: adapters stored as float16 take half the memory and answer nearly the same.
func TestAdapterStorage(t *testing.T) {
	ctx := context.Background()
	var bytes [2]int64
	var features [2][]float32
	for i, s := range []quant.Scheme{quant.F32, quant.F16} {
		rt, err := sdk.Open(ctx, sdk.WithDevice("cpu"), sdk.WithActivations("float"), sdk.WithAdapterStorage(s))
		if err != nil {
			t.Fatal(err)
		}
		bb, err := rt.UseBackbone(ctx, tiny(t, quant.Q8C))
		if err != nil {
			t.Fatal(err)
		}
		r, err := bb.Predict(ctx, gradient(50, 40), attach(t, bb, task(t, bb, "par")))
		if err != nil {
			t.Fatal(err)
		}
		bytes[i], features[i] = rt.Stats().Bytes, r.Features
		if err := rt.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if bytes[0] == 0 || bytes[0] != 2*bytes[1] {
		t.Errorf("%d bytes as float32, %d as float16", bytes[0], bytes[1])
	}
	var worst, largest float64
	for i, v := range features[0] {
		worst = max(worst, math.Abs(float64(v-features[1][i])))
		largest = max(largest, math.Abs(float64(v)))
	}
	if worst == 0 || worst > 5e-3*largest {
		t.Errorf("features differ by %g, the largest is %g", worst, largest)
	}
	if _, err := sdk.Open(ctx, sdk.WithAdapterStorage(quant.Q8C)); !errors.Is(err, sdk.ErrOption) {
		t.Errorf("int8: %v", err)
	}
}
