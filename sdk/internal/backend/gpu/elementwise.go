//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) add(o *backend.Add) error {
	n := r.elems(o.Y)
	return r.threads("add", n, push(n, float32(1)), r.values(o.A, o.B, o.Y))
}

func (r *recording) scale(o *backend.Scale) error {
	n := r.elems(o.Y)
	return r.threads("scale", n, push(n, o.Factor), r.values(o.X, o.Y))
}

func (r *recording) scaleBy(o *backend.ScaleBy) error {
	n := r.elems(o.Y)
	if err := r.copyBase(o.Y, o.X); err != nil {
		return err
	}
	return r.threads("scaleby", n, push(n, float32(1)), r.values(o.S, o.Y))
}
