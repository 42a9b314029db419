//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// TestPlanRounded: what exists as int8 only is planned as that, and what is read as float32, too, is not.
func TestPlanRounded(t *testing.T) {
	d := openHere(t, Options{Untested: true})
	const m, k = 37, 68
	f := frozenHere(t, d, quant.Matrix{Scheme: quant.Q8C, Rows: k, Cols: k, Int8: make([]int8, k*k), Scale: make([]float32, k)})
	f.Block = quant.PerToken
	norm := backend.Norm{Gamma: f.Bias, Beta: f.Bias, Eps: 1e-5}
	for _, c := range []struct {
		read  bool
		bytes int
		in    string
	}{{false, m*80 + 4*40, "int8"}, {true, 4 * m * k, "float32"}} {
		r := backend.NewRecorder()
		y, _ := r.LayerNorm(r.Input("x", m, k), norm)
		r.Output(r.Linear(y, f), "z")
		if c.read {
			r.Output(y, "y")
		}
		p, err := r.Finish()
		if err != nil {
			t.Fatal(err)
		}
		l, _, err := d.Place(p)
		if err != nil {
			t.Fatal(err)
		}
		for _, at := range backend.Placements(p, l) {
			if at.Value == y && (at.Bytes != int64(c.bytes) || at.Type != c.in) {
				t.Errorf("read by the host: %v: %d bytes of %s, expected %d of %s", c.read, at.Bytes, at.Type, c.bytes, c.in)
			}
		}
	}
}
