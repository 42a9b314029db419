package golden

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

func TestWorst(t *testing.T) {
	nan := float32(math.NaN())
	want := tensor.Tensor{Shape: tensor.Shape{2, 3}, Data: []float32{1, -4, 0, 2, 3, 0.5}}
	for _, c := range []struct {
		name  string
		got   []float32
		error float64
		index []int
	}{
		{"equal", []float32{1, -4, 0, 2, 3, 0.5}, 0, []int{0, 0}},
		{"one off", []float32{1, -4, 0, 2, 3.5, 0.75}, 0.125, []int{1, 1}},
		{"nan", []float32{1, -4, nan, 2, 30, 0.5}, math.Inf(1), []int{0, 2}},
		{"inf", []float32{1, -4, 0, 2, 30, float32(math.Inf(1))}, math.Inf(1), []int{1, 2}},
	} {
		w := RelMax(c.got, want)
		if w.Error != c.error || !slices.Equal(w.Index, c.index) {
			t.Errorf("%s: %v", c.name, w)
		}
	}
	if w := RelMax([]float32{1}, want); !math.IsInf(w.Error, 1) || !strings.Contains(w.String(), "[2, 3]") {
		t.Errorf("wrong length: %v", w)
	}
	if w := Abs([]float32{1, -4, 0, 2, 3.5, 0.75}, want); w.Error != 0.5 {
		t.Errorf("absolute: %v", w)
	}
	if w := RelMax([]float32{0, 0.25}, tensor.New(2)); w.Error != 0.25 {
		t.Errorf("zeros expected: %v", w)
	}
	if w := Gradient([]float32{0.001}, tensor.Tensor{Shape: tensor.Shape{1}, Data: []float32{0.002}}, 10); math.Abs(w.Error-0.01) > 1e-6 {
		t.Errorf("small gradient of a large loss: %v", w)
	}
}
