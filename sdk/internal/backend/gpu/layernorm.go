//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

func (r *recording) layerNorm(o *backend.LayerNorm) error {
	m, d := r.matrix(o.X)
	name := "layernorm"
	if r.rounded[o.Y] > 0 {
		name = "layernorm_round"
	}
	return r.rowGroups(name, m, d, push(m, d, o.Eps), r.values(o.X, o.Gamma, o.Beta, o.Y, o.Mean, o.Rstd))
}

func (r *recording) layerNormBackward(o *backend.LayerNormBackward) error {
	m, d := r.matrix(o.X)
	name := "layernorm_bwd_x"
	if o.Base != backend.None {
		name = "layernorm_bwd_x_base"
		if err := r.copyBase(o.DX, o.Base); err != nil {
			return err
		}
	}
	return r.rowGroups(name, m, d, push(m, d), r.values(o.X, o.Gamma, o.Mean, o.Rstd, o.DY, o.DX))
}

// copyBase prepares an operator that adds to its output in place: base goes there first, if it is not there already.
func (r *recording) copyBase(out, base backend.Value) error {
	if out == base {
		return nil
	}
	return r.scale(&backend.Scale{Factor: 1, X: base, Y: out})
}

func (r *recording) gainGrad(o *backend.GainGrad) error {
	m, n := r.matrix(o.X)
	s := slicesOf(m)
	part := r.partial(s * n)
	if err := r.numbers("gaingrad", s, n, push(m, n, s), append(r.values(o.DY, o.X, o.Mean, o.Rstd), part)); err != nil {
		return err
	}
	return r.numbers("reduce", 1, n, push(n, s, float32(1)), append([]vulkan.Range{part}, r.values(o.DGamma)...))
}
