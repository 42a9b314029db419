package cpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// adamW runs the reference's loop on the threads: it is a thousandth of a training step.
func (d *device) adamW(e *executable, o *backend.AdamW) func() {
	p, m, v, g, rates := e.Floats(o.Param), e.Floats(o.M), e.Floats(o.V), e.Floats(o.Grad), e.Floats(o.Rates)
	return d.elements(len(p), func(from, to int) {
		ref.AdamW(p[from:to], m[from:to], v[from:to], g[from:to], rates, float64(o.Beta1), float64(o.Beta2), float64(o.Eps), float64(o.WeightDecay))
	})
}
