//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

func (r *recording) affine(o *backend.Affine) error {
	m, k := r.matrix(o.X)
	n := r.rows(o.W)
	return r.tiled("affine", n%4 == 0 && k%4 == 0, m, n, push(m, n, k), r.values(o.X, o.W, o.Bias, o.Y))
}

func (r *recording) matMul(o *backend.MatMul) error {
	m, n := r.matrix(o.A)
	_, k := r.matrix(o.B)
	name := "matmul"
	if o.Base != backend.None {
		name = "matmul_base"
		if err := r.copyBase(o.C, o.Base); err != nil {
			return err
		}
	}
	return r.tiled(name, n%4 == 0 && k%4 == 0, m, k, push(m, n, k, float32(1)), r.values(o.A, o.B, o.C))
}

// leastBig is the least number of columns of a product with big tiles: those of a thread, of which the last overlap.
const leastBig = 8

// tiled dispatches a product with m rows and n columns.
func (r *recording) tiled(name string, wide bool, m, n int, push []byte, bindings []vulkan.Range) error {
	without := shaders.Feature(0)
	if n < leastBig {
		without = shaders.BigTiles
	}
	v, err := r.variantWithout(name, wide, without)
	if err != nil {
		return err
	}
	if v.value(lanesID, 0) != 0 {
		n = v.columns(n)
	}
	return r.over(v, v.tiles(m, v.quads(n)), push, bindings)
}

func (r *recording) weightGrad(o *backend.WeightGrad) error {
	m, n := r.matrix(o.DY)
	_, k := r.matrix(o.X)
	s := slicesOf(m)
	part := r.partial(s * n * k)
	v, err := r.variant("weightgrad", n%4 == 0 && k%4 == 0)
	if err != nil {
		return err
	}
	tiles := ceil(n, 4) * ceil(k, 4)
	if v.value(lanesID, 0) != 0 {
		tiles = v.tiles(n, v.quads(v.columns(k)))
	}
	if err := r.over(v, tiles*s, push(m, n, k, s), append(r.values(o.DY, o.X), part)); err != nil {
		return err
	}
	return r.numbers("reduce", 1, n*k, push(n*k, s, o.Scale), append([]vulkan.Range{part}, r.values(o.DW)...))
}

func (r *recording) biasGrad(o *backend.BiasGrad) error {
	m, n := r.matrix(o.DY)
	s := slicesOf(m)
	part := r.partial(s * n)
	if err := r.numbers("biasgrad", s, n, push(m, n, s), append(r.values(o.DY), part)); err != nil {
		return err
	}
	return r.numbers("reduce", 1, n, push(n, s, o.Scale), append([]vulkan.Range{part}, r.values(o.DB)...))
}
