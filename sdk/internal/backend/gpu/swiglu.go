//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) swiGLU(o *backend.SwiGLU) error {
	n := r.elems(o.Y)
	return r.threads("swiglu", n, push(n, r.e.p.Shape(o.Y)[1]), r.values(o.X, o.Y))
}

func (r *recording) swiGLUBackward(o *backend.SwiGLUBackward) error {
	n := r.elems(o.DY)
	return r.threads("swiglu_bwd_x", n, push(n, r.e.p.Shape(o.DY)[1]), r.values(o.X, o.DY, o.DX))
}
