//go:build linux && !android && cgo && !novulkan

package gpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

func (r *recording) patchEmbed(o *backend.PatchEmbed) error {
	s := r.e.p.Shape(o.Image)
	m, d := r.matrix(o.X)
	return r.tiled("patchembed", false, m, d,
		push(s[0], s[2], s[3], o.Patch, r.rows(o.Prefix), d), r.values(o.Image, o.Weight, o.Bias, o.Prefix, o.Pos, o.X))
}
