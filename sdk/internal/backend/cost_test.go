package backend_test

import (
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
)

// TestCost holds the sum over a block of ViT-S at 224 pixels, with a branch, to the closed form.
func TestCost(t *testing.T) {
	const tokens, dim, bottleneck, heads = 197, 384, 64, 6
	r := backend.NewRecorder()
	norm := backend.Norm{Gamma: buffer(dim), Beta: buffer(dim), Eps: 1e-6}
	x := r.Input("x", tokens, dim)
	n, _ := r.LayerNorm(x, norm)
	o, _ := r.Attention(r.Linear(n, frozen(3*dim, dim)), backend.Heads{Batch: 1, Tokens: tokens, Count: heads})
	mid := r.LinearResidual(o, frozen(dim, dim), x)
	z, _ := r.LinearGELU(mid, frozen(4*dim, dim), false)
	param := func(shape ...int) backend.Value { return r.Param("p", buffer(dim*bottleneck), 0, shape...) }
	h := r.AdaptDown(mid, param(bottleneck, dim), param(bottleneck), backend.Dropout{})
	y := r.LinearResidualAdapter(z, frozen(dim, 4*dim), mid, backend.Branch{Hidden: h, Up: param(dim, bottleneck), UpBias: param(dim)})
	g := r.LinearBackward(y, frozen(dim, 4*dim), backend.None)
	r.WeightGrad(y, g, r.Param("dw", buffer(4*dim*dim), 0, dim, 4*dim), 1)
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var products, others, bytes int64
	for _, op := range p.Ops() {
		w := backend.Cost(p, op)
		bytes += w.Bytes
		if op.Name() == "layernorm" {
			others += w.MACs
		} else {
			products += w.MACs
		}
		if w.MACs <= 0 || w.Bytes <= 0 {
			t.Errorf("%s takes %+v", op.Name(), w)
		}
	}
	const block = tokens*12*dim*dim + 2*tokens*tokens*dim + 2*tokens*dim*bottleneck
	if want := int64(block + 2*tokens*4*dim*dim); products != want {
		t.Errorf("%d multiply-adds, expected %d", products, want)
	}
	if others >= products/20 || bytes < 16*dim*dim {
		t.Errorf("%d multiply-adds of others, %d bytes", others, bytes)
	}
}
