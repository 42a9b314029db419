//go:build linux && !android && cgo && !novulkan

package gpu

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/vulkan"
)

func (r *recording) affine(o *backend.Affine) error {
	m, k := r.matrix(o.X)
	n := r.rows(o.W)
	return r.threads("affine", ceil(n, 4)*ceil(m, tileRows), []uint32{tileRows, flag(k%4 == 0)}, push(m, n, k),
		r.values(o.X, o.W, o.Bias, o.Y))
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
	return r.threads(name, ceil(k, 4)*ceil(m, tileRows), []uint32{tileRows, flag(k%4 == 0)}, push(m, n, k, float32(1)),
		r.values(o.A, o.B, o.C))
}

func (r *recording) weightGrad(o *backend.WeightGrad) error {
	m, n := r.matrix(o.DY)
	_, k := r.matrix(o.X)
	s := slicesOf(m)
	part := r.partial(s * n * k)
	err := r.threads("weightgrad", ceil(k, 4)*ceil(n, 4)*s, []uint32{flag(n%4 == 0 && k%4 == 0)}, push(m, n, k, s),
		append(r.values(o.DY, o.X), part))
	if err != nil {
		return err
	}
	return r.threads("reduce", n*k, nil, push(n*k, s, o.Scale), append([]vulkan.Range{part}, r.values(o.DW)...))
}

func (r *recording) biasGrad(o *backend.BiasGrad) error {
	m, n := r.matrix(o.DY)
	s := slicesOf(m)
	part := r.partial(s * n)
	if err := r.threads("biasgrad", n*s, nil, push(m, n, s), append(r.values(o.DY), part)); err != nil {
		return err
	}
	return r.threads("reduce", n, nil, push(n, s, o.Scale), append([]vulkan.Range{part}, r.values(o.DB)...))
}
