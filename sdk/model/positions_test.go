package model

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

var gridSizes = [][2]int{{3, 3}, {4, 7}, {9, 8}}

func goldenGrid(t *testing.T, name string) tensor.Tensor {
	t.Helper()
	f, err := checkpoint.Open("testdata/posresample.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	x, err := f.Float32("posresample." + name)
	if err != nil {
		t.Fatal(err)
	}
	x = x.Clone() // the map goes away
	x.Shape = x.Shape[1:]
	return x
}

func worstDifference(a, b tensor.Tensor) float64 {
	worst := 0.0
	for i, v := range a.Data {
		worst = max(worst, math.Abs(float64(v)-float64(b.Data[i])))
	}
	return worst
}

// TestResampleGolden: PyTorch sums in float32, so values of order 1 agree to a few of its roundings. The two rules differ
// by far more, as the control shows.
func TestResampleGolden(t *testing.T) {
	grid := goldenGrid(t, "grid")
	names := map[Resample]string{ResampleBicubic: "plain", ResampleAntialias: "antialias"}
	for rule, name := range names {
		for _, s := range gridSizes {
			got := resampleGrid(grid, s[0], s[1], rule)
			want := goldenGrid(t, fmt.Sprintf("%s.%dx%d", name, s[0], s[1]))
			if !got.Shape.Equal(want.Shape) {
				t.Fatalf("%s: shape %v, expected %v", name, got.Shape, want.Shape)
			}
			if d := worstDifference(got, want); d > 1e-6 {
				t.Errorf("%s to %v: differs by %g", name, s, d)
			}
			other := ResampleBicubic
			if rule == other {
				other = ResampleAntialias
			}
			if d := worstDifference(resampleGrid(grid, s[0], s[1], other), want); d < 1e-3 {
				t.Errorf("control: the other rule differs from %s to %v by only %g", name, s, d)
			}
		}
	}
}

func TestResampleSameSize(t *testing.T) {
	grid := goldenGrid(t, "grid")
	for _, rule := range []Resample{ResampleBicubic, ResampleAntialias} {
		got := resampleGrid(grid, 5, 5, rule)
		if worstDifference(got, grid) != 0 {
			t.Errorf("%s: the trained size changes", rule)
		}
		if got.Data[0]++; got.Data[0] == grid.Data[0] {
			t.Errorf("%s: the result aliases the grid", rule)
		}
		constant := tensor.New(5, 5, 1)
		for i := range constant.Data {
			constant.Data[i] = 3
		}
		for _, v := range resampleGrid(constant, 1, 37, rule).Data {
			if math.Abs(float64(v)-3) > 1e-6 {
				t.Fatalf("%s: a constant grid becomes %v", rule, v)
			}
		}
	}
}
