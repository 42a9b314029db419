//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

// patchEmbed gathers the patches as rows of a matrix, for loads of whole vectors, and multiplies them.
func (r *recording) patchEmbed(o *backend.PatchEmbed) error {
	s := r.e.p.Shape(o.Image)
	m, d := r.matrix(o.X)
	_, k := r.matrix(o.Weight)
	prefix, first := 0, o.Bias // with no prefix the kernel never reads what is bound in its place
	if o.Prefix != backend.None {
		prefix, first = r.rows(o.Prefix), o.Prefix
	}
	patches := r.partial(m * k)
	err := r.threads("patchembed", m*3*o.Patch, push(s[0], s[2], s[3], o.Patch, prefix), append(r.values(o.Image), patches))
	if err != nil {
		return err
	}
	return r.tiled("patchembed_tokens", d%4 == 0 && k%4 == 0, m, d, push(m, d, k, m/s[0], prefix),
		append([]vulkan.Range{patches}, r.values(o.Weight, o.Bias, first, o.Pos, o.X)...))
}
