package nn

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/host"
	"github.com/edgeadapt/edgeadapt/sdk/internal/checkpoint"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// branchBench is a branch alone on the reference device, with the golden values of a case.
type branchBench struct {
	t      *testing.T
	be     backend.Backend
	golden *checkpoint.File
	key    string
	task   *Task
	grads  backend.Buffer
}

const branchWidth, branchDim, branchRows = 16, 48, 18

func newBranchBench(t *testing.T, key string, c adapter.Config) *branchBench {
	t.Helper()
	f, err := checkpoint.Open("testdata/adaptmlp.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	b := &branchBench{t: t, be: host.NewReference(), golden: f, key: key}
	t.Cleanup(func() { f.Close(); b.task.Close(); b.be.Close() })
	c.Blocks, c.Bottleneck = []int{0}, branchWidth
	b.task = &Task{cfg: c, backbone: adapter.Ref{Dim: branchDim, Depth: 1}, resources: resources{be: b.be},
		layout: layout{shapes: map[string]tensor.Shape{}, at: map[string]int{}}}
	b.task.addBranch(b.task.backbone.BranchName(0), branchDim, branchWidth)
	b.task.params = b.task.floats("adapter", make([]float32, b.task.Size()))
	b.grads = b.task.floats("gradients", make([]float32, b.task.Size()))
	for _, name := range b.task.layout.names {
		b.must(b.task.params.Write(b.task.layout.at[name], b.given("param."+leafOf(name))))
	}
	return b
}

func leafOf(name string) string { return strings.TrimPrefix(name, "blocks.0.adaptmlp.") }

func (b *branchBench) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *branchBench) given(name string) []float32 {
	b.t.Helper()
	x, err := b.golden.Float32(b.key + "." + name)
	b.must(err)
	return x.Data
}

// run gives the branch's output and the gradient at its input.
func (b *branchBench) run(x []float32) (y, dx []float32) {
	r := backend.NewRecorder()
	in, dy := r.Input("x", branchRows, branchDim), r.Input("dy", branchRows, branchDim)
	br := b.task.branchAt(0)
	br.grads = b.grads
	s := br.forward(r, in)
	out := r.Output(br.output(r, &s), "y")
	back := r.Output(br.backward(r, s, dy).into(r, backend.None), "dx")
	prog, err := r.Finish()
	b.must(err)
	exec, err := b.be.Compile(prog)
	b.must(err)
	defer exec.Close()
	b.must(exec.WriteFloats(in, x))
	b.must(exec.WriteFloats(dy, b.given("dy")))
	b.must(exec.Run(context.Background()))
	y, dx = make([]float32, len(x)), make([]float32, len(x))
	b.must(exec.ReadFloats(out, y))
	b.must(exec.ReadFloats(back, dx))
	return y, dx
}

// relative is the largest difference as a share of the largest value.
func relative(got, want []float32) float64 {
	var diff, top float64
	for i, w := range want {
		diff, top = max(diff, math.Abs(float64(got[i])-float64(w))), max(top, math.Abs(float64(w)))
	}
	return diff / top
}

// TestBranch holds branches with options to PyTorch: the output, and the gradients at the input and at every parameter.
func TestBranch(t *testing.T) {
	for key, c := range map[string]adapter.Config{
		"b16.in.learnable": {Norm: adapter.NormIn, LearnScale: true, Scale: 1},
		"b16.in.0.1":       {Norm: adapter.NormIn, Scale: 0.1},
		"b16.out.4.0":      {Norm: adapter.NormOut, Scale: 4},
	} {
		b := newBranchBench(t, key, c)
		y, dx := b.run(b.given("x"))
		if e := relative(y, b.given("y")); !(e < 1e-5) {
			t.Errorf("%s: y differs by %.3g", key, e)
		}
		if e := relative(dx, b.given("dx")); !(e < 1e-4) {
			t.Errorf("%s: dx differs by %.3g", key, e)
		}
		for _, name := range b.task.layout.names {
			got := make([]float32, b.task.layout.shapes[name].Elems())
			b.must(b.grads.Read(b.task.layout.at[name], got))
			if e := relative(got, b.given("grad."+leafOf(name))); !(e < 1e-4) {
				t.Errorf("%s: gradient of %s differs by %.3g", key, name, e)
			}
		}
	}
}

// TestBranchEps: with the backbone's eps in place of the branch's own, the golden output is missed.
func TestBranchEps(t *testing.T) {
	const key, backboneEps = "b16.in.0.1", 1e-6
	b := newBranchBench(t, key, adapter.Config{Scale: 0.1})
	x, gamma, beta := b.given("x"), b.given("param.adapter_layer_norm_before.weight"), b.given("param.adapter_layer_norm_before.bias")
	for eps, most := range map[float64]bool{branchEps: true, backboneEps: false} {
		y, _ := b.run(normRows(x, gamma, beta, eps))
		if e := relative(y, b.given("y")); (e < 1e-5) != most {
			t.Errorf("eps %g: y differs by %.3g", eps, e)
		}
	}
}

func normRows(x, gamma, beta []float32, eps float64) []float32 {
	y, d := make([]float32, len(x)), len(gamma)
	for r := range len(x) / d {
		var mean, variance float64
		row := x[r*d : (r+1)*d]
		for _, v := range row {
			mean += float64(v) / float64(d)
		}
		for _, v := range row {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(d)
		}
		for i, v := range row {
			y[r*d+i] = float32((float64(v)-mean)/math.Sqrt(variance+eps)*float64(gamma[i]) + float64(beta[i]))
		}
	}
	return y
}
