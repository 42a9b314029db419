//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func (r *recording) adaptDown(o *backend.AdaptDown) error {
	m, d := r.matrix(o.X)
	n := r.rows(o.Down)
	spec, threads := []uint32{tileRows, flag(d%4 == 0)}, ceil(n, 4)*ceil(m, tileRows)
	if o.Dropout == 0 {
		return r.threads("adaptdown", threads, spec, push(m, n, d), r.values(o.X, o.Down, o.Bias, o.H))
	}
	below := uint32(math.Ceil(float64(o.Dropout) * 0x1p32))
	return r.threads("adaptdown_dropout", threads, spec, push(m, n, d, o.Stream, below, float32(1/(1-float64(o.Dropout)))),
		r.values(o.X, o.Down, o.Bias, o.Key, o.H))
}

func (r *recording) adaptDownBackward(o *backend.AdaptDownBackward) error {
	m, d := r.matrix(o.G)
	_, n := r.matrix(o.H)
	return r.threads("adaptdown_bwd_x", ceil(n, 4)*ceil(m, tileRows), []uint32{tileRows, flag(n%4 == 0)},
		push(m, d, n, o.Scale), r.values(o.G, o.Up, o.H, o.DH))
}
