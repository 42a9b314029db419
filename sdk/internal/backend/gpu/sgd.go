//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) sgd(o *backend.SGD) error {
	n := r.elems(o.Param)
	return r.threads("sgd", n, push(n, o.Momentum, o.WeightDecay), r.values(o.Grad, o.LR, o.Param, o.Velocity))
}
