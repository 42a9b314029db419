package golden

import (
	"fmt"
	"math"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Worst is the element at which a result is furthest from what was expected.
type Worst struct {
	Error     float64 // in the measure's unit; +Inf for a NaN, an infinity or a wrong length
	Index     []int
	Got, Want float32
	note      string
}

func (w Worst) String() string {
	if w.note != "" {
		return w.note
	}
	return fmt.Sprintf("error %.3g at %v: got %v, expected %v", w.Error, tensor.Shape(w.Index), w.Got, w.Want)
}

// Check fails the test if the error exceeds bound.
func (w Worst) Check(t testing.TB, name string, bound float64) {
	t.Helper()
	if w.Error > bound {
		t.Errorf("%s: %v, allowed %.3g", name, w, bound)
	}
}

// Abs measures max|got - want|.
func Abs(got []float32, want tensor.Tensor) Worst { return worst(got, want, 1) }

// RelMax measures max|got - want| / max|want|; absolute where all that is expected is zero.
func RelMax(got []float32, want tensor.Tensor) Worst { return worst(got, want, maxAbs(want.Data)) }

// Gradient measures max|got - want| / max(max|want|, largest/100): against the tensor's own scale, but no finer than a
// hundredth of the largest gradient of the same loss, below which float32 leaves rounding noise only.
func Gradient(got []float32, want tensor.Tensor, largest float64) Worst {
	return worst(got, want, max(maxAbs(want.Data), largest/100))
}

func maxAbs(x []float32) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
}

func worst(got []float32, want tensor.Tensor, unit float64) Worst {
	if len(got) != want.Shape.Elems() || len(got) != len(want.Data) {
		return Worst{Error: math.Inf(1), note: fmt.Sprintf("%d elements, expected %v", len(got), want.Shape)}
	}
	if unit == 0 {
		unit = 1
	}
	at, top := 0, -1.0
	for i, v := range got {
		e := math.Abs(float64(v)-float64(want.Data[i])) / unit
		if math.IsNaN(e) {
			e = math.Inf(1) // an infinity that is expected is an error too: no operator of ours makes one
		}
		if e > top {
			at, top = i, e
		}
	}
	if len(got) == 0 {
		return Worst{}
	}
	return Worst{Error: top, Index: index(at, want.Shape), Got: got[at], Want: want.Data[at]}
}

// index turns a flat position into one per axis.
func index(at int, s tensor.Shape) []int {
	out := make([]int, len(s))
	for i := len(s) - 1; i >= 0; i-- {
		out[i] = at % s[i]
		at /= s[i]
	}
	return out
}
