//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

// mixed dispatches one of the products of a mixed batch: n columns of tokens rows an image.
func (r *recording) mixed(name string, o backend.Mixed, column, batch, tokens, d, n, stride int, x, y vulkan.Range) error {
	v, err := r.variant(name, d%4 == 0)
	if err != nil {
		return err
	}
	quads := ceil(n, 4)
	_, columns := r.matrix(o.Mix)
	return r.over(v, batch*v.tiles(tokens, quads), push(batch, tokens, d, columns, column, stride, quads),
		append(r.values(o.Mix, o.Arena), x, y))
}

func (r *recording) mixedAdapter(o *backend.MixedAdapter) error {
	m, d := r.matrix(o.X)
	x, hidden := r.e.places[o.X], r.partial(m*o.Bottleneck)
	column, tokens := backend.MixBlock+o.Block, m/o.Batch
	if err := r.mixed("mixed_down", o.Mixed, column, o.Batch, tokens, d, o.Bottleneck, o.Bottleneck, x, hidden); err != nil {
		return err
	}
	return r.mixed("mixed_up", o.Mixed, column, o.Batch, tokens, d, d, o.Bottleneck, hidden, x)
}

func (r *recording) mixedHead(o *backend.MixedHead) error {
	batch, width := r.matrix(o.Z)
	_, classes := r.matrix(o.Y)
	return r.mixed("mixed_head", o.Mixed, backend.MixHead, batch, 1, width/2, classes, classes, r.e.places[o.Z], r.e.places[o.Y])
}

func (r *recording) mixedFeatures(o *backend.MixedFeatures) error {
	batch, d := r.matrix(o.Mean)
	_, columns := r.matrix(o.Mix)
	return r.rowGroups("mixed_features", batch, d, push(batch, d, columns, o.NormEps, o.StatsEps),
		r.values(o.Mix, o.Arena, o.Normed, o.Mean, o.F, o.Z))
}
