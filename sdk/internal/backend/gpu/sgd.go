//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) adamW(o *backend.AdamW) error {
	n := r.elems(o.Param)
	rest := func(beta float32) float32 { return float32(1 - float64(beta)) }
	return r.threads("adamw", n, push(n, o.Beta1, o.Beta2, rest(o.Beta1), rest(o.Beta2), o.Eps, o.WeightDecay),
		r.values(o.Grad, o.Rates, o.Param, o.M, o.V))
}

func (r *recording) sgd(o *backend.SGD) error {
	n := r.elems(o.Param)
	return r.threads("sgd", n, push(n, o.Momentum, o.WeightDecay), r.values(o.Grad, o.LR, o.Param, o.Velocity))
}
