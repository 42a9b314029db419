//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

// patchMerge gathers the squares as rows of a matrix and normalises these.
func (r *recording) patchMerge(o *backend.PatchMerge) error {
	m, n := r.matrix(o.Y)
	squares := r.partial(m * n)
	if err := r.gatherSquares(o.Grid, o.X, squares, m*n); err != nil {
		return err
	}
	return r.rowGroups("layernorm", m, n, push(m, n, o.Eps), append([]vulkan.Range{squares}, r.values(o.Gamma, o.Beta, o.Y, o.Mean, o.Rstd)...))
}

// patchMergeBackward gathers them again, and scatters the gradient of the LayerNorm.
func (r *recording) patchMergeBackward(o *backend.PatchMergeBackward) error {
	m, n := r.matrix(o.DY)
	squares, dx := r.partial(m*n), r.partialAt(m*n, m*n)
	if err := r.gatherSquares(o.Grid, o.X, squares, m*n); err != nil {
		return err
	}
	bindings := append([]vulkan.Range{squares}, r.values(o.Gamma, o.Mean, o.Rstd, o.DY)...)
	if err := r.rowGroups("layernorm_bwd_x", m, n, push(m, n), append(bindings, dx)); err != nil {
		return err
	}
	return r.threads("patchmerge_scatter", m*n, push(o.Batch, o.Rows, o.Columns, n/4), append([]vulkan.Range{dx}, r.values(o.DX)...))
}

func (r *recording) gatherSquares(g backend.Grid, x backend.Value, to vulkan.Range, n int) error {
	_, d := r.matrix(x)
	return r.threads("patchmerge_gather", n, push(g.Batch, g.Rows, g.Columns, d), append(r.values(x), to))
}
