//go:build linux && !android && cgo && !novulkan

package gpu_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/gpu/gputest"
	"github.com/edgeadapt/edgeadapt/shaders"
)

var update = flag.Bool("update", false, "rewrite testdata/plan.*.txt")

// TestPlan holds the dispatches of one block's training step, their variants, grids and barriers to the committed
// list: a change of speed then shows in review. The lists are those of a device that shares the host's memory.
func TestPlan(t *testing.T) {
	gputest.Require(t)
	var texel []string
	for _, k := range shaders.All() {
		if k.Needs == shaders.TexelFetch {
			texel = append(texel, k.String())
		}
	}
	amd, _ := shaders.GPU{Vendor: 0x1002}.Features()
	dot := amd | shaders.IntegerDotProduct
	for _, c := range []struct {
		file string
		opt  gpu.Options
		int8 bool
	}{
		{"testdata/plan.base.txt", gpu.Options{Untested: true, As: new(shaders.Feature)}, false},
		{"testdata/plan.texel.txt", gpu.Options{Untested: true, Pin: texel}, false},
		{"testdata/plan.amd.txt", gpu.Options{Untested: true, As: &amd}, false},
		{"testdata/plan.int8.txt", gpu.Options{Untested: true, As: &dot}, true},
	} {
		be := gputest.OpenWith(t, c.opt)
		if kind := be.Info().Kind; kind != "software" && kind != "integrated" {
			be.Close()
			t.Skipf("the lists have no copies to a %s device", kind)
		}
		got := strings.Join(blockPlan(t, be, c.int8), "\n") + "\n"
		if *update {
			if err := os.WriteFile(c.file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(c.file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (-update rewrites it):\n%s", c.file, got)
		}
	}
}

// blockPlan compiles a block of two images of five tokens with its gradient, closes all and returns the plan.
func blockPlan(t *testing.T, be backend.Backend, int8 bool) []string {
	const batch, tokens, dim, hidden, bottleneck = 2, 5, 48, 192, 8
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var open []interface{ Close() error }
	buffer := func(n int) backend.Buffer {
		b, err := be.NewBuffer("buffer", n)
		must(err)
		open = append(open, b)
		return b
	}
	frozen := func(n, k, block int) backend.Frozen {
		m, err := quant.Quantize(quant.Q8C, make([]float32, n*k), n, k)
		must(err)
		w, err := be.NewWeight("weight", m)
		must(err)
		open = append(open, w)
		if !int8 {
			return backend.Frozen{W: w, Bias: buffer(n)}
		}
		return backend.Frozen{W: w, Bias: buffer(n), Block: block, GradBlock: quant.ActivationBlock}
	}
	r := backend.NewRecorder()
	param := func(shape ...int) backend.Value {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return r.Param("param", buffer(n), 0, shape...)
	}
	norm := backend.Norm{Gamma: buffer(dim), Beta: buffer(dim), Eps: 1e-6}
	token, columns := quant.PerToken, quant.ActivationBlock
	qkv, proj, fc1, fc2 := frozen(3*dim, dim, token), frozen(dim, dim, columns), frozen(hidden, dim, token), frozen(dim, hidden, columns)
	heads := backend.Heads{Batch: batch, Tokens: tokens, Count: 3}
	down, up := param(bottleneck, dim), param(dim, bottleneck)

	x := r.Input("x", batch*tokens, dim)
	n1, s1 := r.LayerNorm(x, norm)
	rows := r.Linear(n1, qkv)
	o, lse := r.Attention(rows, heads)
	mid := r.LinearResidual(o, proj, x)
	n2, s2 := r.LayerNorm(mid, norm)
	z, dgelu := r.LinearGELU(n2, fc1, true)
	h := r.AdaptDown(mid, down, param(bottleneck), backend.Dropout{P: 0.1, Key: r.InputInts("key", 1)})
	y := r.LinearResidualAdapter(z, fc2, mid, backend.Branch{Hidden: h, Up: up, UpBias: param(dim), Scale: 0.1})
	r.Output(y, "y")

	d := r.Scale(y, 1) // stands for the gradient from above
	dh := r.AdaptDownBackward(d, up, h, 0.1)
	r.WeightGrad(d, h, param(dim, bottleneck), 0.1)
	r.BiasGrad(dh, param(bottleneck), 1)
	dn2 := r.LinearBackward(r.LinearBackward(d, fc2, dgelu), fc1, backend.None)
	d = r.LayerNormBackward(mid, norm, s2, dn2, r.MatMul(dh, down, d))
	do := r.LinearBackward(d, proj, backend.None)
	dn1 := r.LinearBackward(r.AttentionBackward(rows, o, lse, do, heads), qkv, backend.None)
	r.Output(r.LayerNormBackward(x, norm, s1, dn1, d), "dx")

	p, err := r.Finish()
	must(err)
	e, err := be.Compile(p)
	must(err)
	plan := gpu.Plan(e)
	must(e.Close())
	for _, c := range open {
		must(c.Close())
	}
	if n := be.MemoryInUse(); n != 0 {
		t.Errorf("%d bytes in use after everything was closed", n)
	}
	must(be.Close())
	return plan
}
