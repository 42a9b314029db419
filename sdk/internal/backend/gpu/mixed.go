//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

// arenaKernel is the kernel of that name for the arena's type.
func (r *recording) arenaKernel(name string, o backend.Mixed) string {
	if r.e.p.Info(o.Arena).Type == backend.F16 {
		return name + "_half"
	}
	return name
}

// mixed dispatches one of the products of a mixed batch: n columns of tokens rows an image.
func (r *recording) mixed(name string, o backend.Mixed, column, sequential, batch, tokens, d, n, stride int, x, y vulkan.Range) error {
	v, err := r.variant(r.arenaKernel(name, o), d%4 == 0)
	if err != nil {
		return err
	}
	quads := ceil(n, 4)
	_, columns := r.matrix(o.Mix)
	return r.over(v, batch*v.tiles(tokens, quads), push(batch, tokens, d, columns, column, stride, quads, sequential),
		append(r.values(o.Mix, o.Arena), x, y))
}

// mixedAdapter runs both products over all images. Norms are kernels of their own, before and behind them: they go by way
// of scratch memory, and only in Programs whose mixes may hold any.
func (r *recording) mixedAdapter(o *backend.MixedAdapter) error {
	m, d := r.matrix(o.X)
	in, x, hidden := r.e.places[o.In], r.e.places[o.X], r.partial(m*o.Bottleneck)
	column, tokens, sequential := backend.MixBranch(o.Block), m/o.Batch, int(flag(o.Sequential))
	var normed vulkan.Range
	if o.Norms {
		normed = r.partialAt(m*o.Bottleneck, m*d)
		if err := r.mixedNorm("mixed_norm", o, in, normed); err != nil {
			return err
		}
		in = normed
	}
	if err := r.mixed("mixed_down", o.Mixed, column, sequential, o.Batch, tokens, d, o.Bottleneck, o.Bottleneck, in, hidden); err != nil {
		return err
	}
	if err := r.mixed("mixed_up", o.Mixed, column, sequential, o.Batch, tokens, d, d, o.Bottleneck, hidden, x); err != nil || !o.Norms {
		return err
	}
	if err := r.mixed("mixed_up_apart", o.Mixed, column, sequential, o.Batch, tokens, d, d, o.Bottleneck, hidden, normed); err != nil {
		return err
	}
	return r.mixedNorm("mixed_norm_out", o, normed, x)
}

// mixedNorm dispatches the norm of the branches' inputs or outputs.
func (r *recording) mixedNorm(name string, o *backend.MixedAdapter, x, y vulkan.Range) error {
	m, d := r.matrix(o.X)
	_, columns := r.matrix(o.Mix)
	return r.rowGroups(r.arenaKernel(name, o.Mixed), m, d, push(m, m/o.Batch, d, columns, backend.MixBranch(o.Block), int(flag(o.Sequential)), o.NormEps),
		append(r.values(o.Mix, o.Arena), x, y))
}

func (r *recording) mixedHead(o *backend.MixedHead) error {
	batch, width := r.matrix(o.Z)
	_, classes := r.matrix(o.Y)
	return r.mixed("mixed_head", o.Mixed, backend.MixHead, 0, batch, 1, width/2, classes, classes, r.e.places[o.Z], r.e.places[o.Y])
}

func (r *recording) mixedFeatures(o *backend.MixedFeatures) error {
	batch, d := r.matrix(o.Mean)
	_, columns := r.matrix(o.Mix)
	return r.rowGroups(r.arenaKernel("mixed_features", o.Mixed), batch, d, push(batch, d, columns, o.NormEps, o.StatsEps),
		r.values(o.Mix, o.Arena, o.Normed, o.Mean, o.F, o.Z))
}
