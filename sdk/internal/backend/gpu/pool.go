//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// poolConstants are the push constants of both pool kernels; tokens [B T, D].
func (r *recording) poolConstants(mode backend.PoolMode, batch, prefix int, tokens backend.Value) []byte {
	m, d := r.matrix(tokens)
	return push(batch, m/batch, d, prefix, flag(mode != backend.PoolMean), flag(mode != backend.PoolCLS))
}

func (r *recording) pool(o *backend.Pool) error {
	return r.threads("pool", r.elems(o.Y), r.poolConstants(o.Mode, o.Batch, o.Prefix, o.X), r.values(o.X, o.Y))
}

func (r *recording) poolBackward(o *backend.PoolBackward) error {
	return r.threads("pool_bwd_x", r.elems(o.DX), r.poolConstants(o.Mode, o.Batch, o.Prefix, o.DX), r.values(o.DY, o.DX))
}
