//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) batchNorm(o *backend.BatchNorm) error {
	b, f := r.matrix(o.X)
	constants := push(b, f, o.Eps, o.Momentum)
	if o.Train {
		return r.threads("batchnorm_train", f, constants, r.values(o.X, o.RunningMean, o.RunningVar, o.Y, o.Rstd))
	}
	return r.threads("batchnorm", f, constants, r.values(o.X, o.RunningMean, o.RunningVar, o.Y))
}

func (r *recording) batchNormBackward(o *backend.BatchNormBackward) error {
	b, f := r.matrix(o.Y)
	return r.threads("batchnorm_bwd_x", f, push(b, f), r.values(o.Y, o.Rstd, o.DY, o.DX))
}
