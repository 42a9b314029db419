package backend_test

import (
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// halfLayer is a layer whose results are float16.
func halfLayer(n, k int) backend.Frozen {
	f := frozen(n, k)
	f.Half = true
	return f
}

// TestHalfOperands: only attentions, forward, read float16, only a layer without an epilogue makes it, and of whole vectors.
func TestHalfOperands(t *testing.T) {
	h := backend.Heads{Batch: 2, Tokens: 3, Count: 2}
	for name, c := range map[string]struct {
		record func(r *backend.Recorder, x backend.Value)
		want   string // in the error; none where empty
	}{
		"attention": {func(r *backend.Recorder, x backend.Value) {
			qkv := r.Linear(x, halfLayer(24, 5))
			_, lse := r.Attention(qkv, h)
			r.AttentionProbs(qkv, lse, h)
		}, ""},
		"attention backward": {func(r *backend.Recorder, x backend.Value) {
			qkv := r.Linear(x, halfLayer(24, 5))
			o, lse := r.Attention(qkv, h)
			r.AttentionBackward(qkv, o, lse, o, h)
		}, "holds float16, expected float32"},
		"a layer of it": {func(r *backend.Recorder, x backend.Value) { r.Linear(r.Linear(x, halfLayer(24, 5)), frozen(8, 24)) }, "holds float16, expected float32"},
		"a residual": {func(r *backend.Recorder, x backend.Value) {
			r.LinearResidual(x, halfLayer(8, 5), r.Linear(x, frozen(8, 5)))
		}, "holds float16, expected float32"},
		"gelu":     {func(r *backend.Recorder, x backend.Value) { r.LinearGELU(x, halfLayer(8, 5), false) }, "holds float16, expected float32"},
		"odd rows": {func(r *backend.Recorder, x backend.Value) { r.Linear(x, halfLayer(6, 5)) }, "float16 rows of 6"},
	} {
		r := backend.NewRecorder()
		c.record(r, r.Input("x", 6, 5))
		_, err := r.Finish()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q", name, err, c.want)
		}
	}
}

// TestPlanHalf: what is float16 takes half the memory.
func TestPlanHalf(t *testing.T) {
	for half, want := range map[bool]int{false: 6 * 24, true: 6 * 12} {
		r := backend.NewRecorder()
		f := frozen(24, 5)
		f.Half = half
		r.Output(r.Linear(r.Input("x", 6, 5), f), "y")
		p, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		l, err := backend.Plan(p, 1, 1000)
		if err != nil || len(l.Size) != 1 || l.Size[0] != want {
			t.Errorf("float16 %v: %v, %v, expected %d", half, l.Size, err, want)
		}
	}
}
