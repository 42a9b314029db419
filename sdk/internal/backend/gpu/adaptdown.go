//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

func (r *recording) adaptDown(o *backend.AdaptDown) error {
	m, d := r.matrix(o.X)
	n := r.rows(o.Down)
	if o.Dropout == 0 {
		return r.tiled("adaptdown", n%4 == 0 && d%4 == 0, m, n, push(m, n, d), r.values(o.X, o.Down, o.Bias, o.H))
	}
	below := uint32(math.Ceil(float64(o.Dropout) * 0x1p32))
	return r.tiled("adaptdown_dropout", n%4 == 0 && d%4 == 0, m, n, push(m, n, d, o.Stream, below, float32(1/(1-float64(o.Dropout)))),
		r.values(o.X, o.Down, o.Bias, o.Key, o.H))
}

func (r *recording) adaptDownBackward(o *backend.AdaptDownBackward) error {
	m, d := r.matrix(o.G)
	_, n := r.matrix(o.H)
	return r.tiled("adaptdown_bwd_x", d%4 == 0 && n%4 == 0, m, n,
		push(m, d, n, o.Scale), r.values(o.G, o.Up, o.H, o.DH))
}
