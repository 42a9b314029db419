package backend_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// TestRecorderErrors: every message names the operator, the operand and both shapes or the option's value.
func TestRecorderErrors(t *testing.T) {
	shape := tensor.ErrShape
	norm := func(d int, eps float32) backend.Norm {
		return backend.Norm{Gamma: buffer(d), Beta: buffer(d), Eps: eps}
	}
	for _, c := range []struct {
		name   string
		record func(r *backend.Recorder, x backend.Value) // x is [4, 6]
		is     error
		says   []string
	}{
		{"add", func(r *backend.Recorder, x backend.Value) { r.Add(x, r.Input("y", 6, 4)) }, shape, []string{"add: ", "[6, 4]", "[4, 6]"}},
		{"add of none", func(r *backend.Recorder, x backend.Value) { r.Add(x, backend.None) }, shape, []string{"add: "}},
		{"layernorm", func(r *backend.Recorder, x backend.Value) { r.LayerNorm(x, norm(5, 1e-6)) }, shape, []string{"layernorm: gamma", "[5]", "[6]"}},
		{"layernorm eps", func(r *backend.Recorder, x backend.Value) { r.LayerNorm(x, norm(6, 0)) }, nil, []string{"layernorm: eps is 0"}},
		{"linear columns", func(r *backend.Recorder, x backend.Value) { r.Linear(x, frozen(3, 7)) }, shape, []string{"linear: x", "[4, 6]", "[4, 7]"}},
		{"linear bias", func(r *backend.Recorder, x backend.Value) {
			r.Linear(x, backend.Frozen{W: weight{3, 6}, Bias: buffer(2)})
		}, shape, []string{"linear: bias", "[2]", "[3]"}},
		{"linear residual", func(r *backend.Recorder, x backend.Value) { r.LinearResidual(x, frozen(3, 6), x) }, shape, []string{"linear: residual", "[4, 6]", "[4, 3]"}},
		{"linear adapter", func(r *backend.Recorder, x backend.Value) {
			up, bias := r.Param("up", buffer(12), 0, 2, 6), r.Param("bias", buffer(6), 0, 6)
			r.LinearResidualAdapter(x, frozen(6, 6), x, backend.Branch{Hidden: r.Input("h", 4, 2), Up: up, UpBias: bias})
		}, shape, []string{"linear: up", "[2, 6]", "[6, 2]"}},
		{"linear backward", func(r *backend.Recorder, x backend.Value) { r.LinearBackward(x, frozen(5, 3), backend.None) }, shape, []string{"linear_bwd_x: dy", "[4, 6]", "[4, 5]"}},
		{"attention heads", func(r *backend.Recorder, x backend.Value) {
			r.Attention(x, backend.Heads{Batch: 2, Tokens: 2, Count: 4})
		}, nil, []string{"attention: qkv has 6 columns", "3 x 4 heads"}},
		{"attention rows", func(r *backend.Recorder, x backend.Value) {
			r.Attention(x, backend.Heads{Batch: 3, Tokens: 2, Count: 1})
		}, shape, []string{"attention: qkv", "[4, 6]", "[6, 6]"}},
		{"adaptdown", func(r *backend.Recorder, x backend.Value) {
			r.AdaptDown(x, r.Param("down", buffer(10), 0, 2, 5), r.Param("bias", buffer(2), 0, 2), backend.Dropout{})
		}, shape, []string{"adaptdown: down", "[2, 5]", "[2, 6]"}},
		{"dropout without key", func(r *backend.Recorder, x backend.Value) {
			r.AdaptDown(x, r.Param("down", buffer(12), 0, 2, 6), r.Param("bias", buffer(2), 0, 2), backend.Dropout{P: 0.5})
		}, nil, []string{"adaptdown: dropout is 0.5", "no key"}},
		{"dropout of 1", func(r *backend.Recorder, x backend.Value) {
			r.AdaptDown(x, r.Param("down", buffer(12), 0, 2, 6), r.Param("bias", buffer(2), 0, 2), backend.Dropout{P: 1, Key: r.InputInts("key", 1)})
		}, nil, []string{"adaptdown: dropout is 1"}},
		{"matmul", func(r *backend.Recorder, x backend.Value) { r.MatMul(x, r.Input("b", 5, 2), backend.None) }, shape, []string{"matmul: b", "[5, 2]", "[6, 2]"}},
		{"matmul onto an input", func(r *backend.Recorder, x backend.Value) { r.MatMul(r.Input("a", 4, 3), r.Input("b", 3, 6), x) }, nil, []string{"matmul: writes the input x"}},
		{"patchembed", func(r *backend.Recorder, _ backend.Value) {
			v := r.Param("v", buffer(1), 0, 1, 1)
			r.PatchEmbed(r.Input("image", 1, 3, 15, 14), v, v, v, v, 14)
		}, nil, []string{"patchembed: image is [1, 3, 15, 14]", "patch 14"}},
		{"pool", func(r *backend.Recorder, x backend.Value) { r.Pool(x, backend.PoolMean, 3, 1) }, nil, []string{"pool: 4 token rows", "3 images"}},
		{"pool without patches", func(r *backend.Recorder, x backend.Value) { r.Pool(x, backend.PoolMean, 4, 1) }, nil, []string{"pool: 1 tokens"}},
		{"batchnorm", func(r *backend.Recorder, x backend.Value) {
			v := r.Param("v", buffer(5), 0, 5)
			r.BatchNorm(x, backend.BatchStats{Mean: v, Var: v, Eps: 1})
		}, shape, []string{"batchnorm: running mean", "[5]", "[6]"}},
		{"crossentropy", func(r *backend.Recorder, x backend.Value) { r.CrossEntropy(x, r.Input("t", 4), 1, 0) }, nil, []string{"crossentropy: t holds float32", "int32"}},
		{"label smoothing", func(r *backend.Recorder, x backend.Value) { r.CrossEntropy(x, r.InputInts("t", 4), 1, 1) }, nil, []string{"crossentropy: label smoothing 1"}},
		{"adamw", func(r *backend.Recorder, x backend.Value) {
			p := r.Param("p", buffer(24), 0, 4, 6)
			r.AdamW(p, x, p, p, r.Input("rates", 2), backend.AdamWConfig{Eps: 1})
		}, nil, []string{"adamw: rates", "[2]", "[3]"}},
		{"clipnorm", func(r *backend.Recorder, x backend.Value) { r.ClipNorm(r.Param("p", buffer(6), 0, 6), 0) }, nil, []string{"clipnorm: norm 0"}},
		{"labels as floats", func(r *backend.Recorder, x backend.Value) { r.Scale(r.InputInts("t", 4), 2) }, nil, []string{"scale: t holds int32", "float32"}},
		{"sgd", func(r *backend.Recorder, x backend.Value) {
			p := r.Param("p", buffer(6), 0, 6)
			r.SGD(p, x, p, r.Input("lr", 1), 0.9, 0)
		}, shape, []string{"sgd: gradient", "[4, 6]", "[6]"}},
		{"value without extent", func(r *backend.Recorder, _ backend.Value) { r.Input("empty", 3, 0) }, shape, []string{"empty", "[3, 0]"}},
		{"parameter past its buffer", func(r *backend.Recorder, _ backend.Value) { r.Param("w", buffer(64), 64, 1) }, nil, []string{"parameter w", "offset 64"}},
		{"unaligned parameter", func(r *backend.Recorder, _ backend.Value) { r.Param("w", buffer(64), 4, 1) }, nil, []string{"parameter w", "multiples of 64"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := backend.NewRecorder()
			c.record(r, r.Input("x", 4, 6))
			p, err := r.Finish()
			if err == nil || p != nil {
				t.Fatal("no error")
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("%v is not %v", err, c.is)
			}
			for _, s := range c.says {
				if !strings.Contains(err.Error(), s) {
					t.Errorf("%q does not say %q", err, s)
				}
			}
		})
	}
}

// TestFirstErrorSticks: what follows the first error records nothing, returns None and cannot replace it.
func TestFirstErrorSticks(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 4, 6)
	r.Add(x, r.Input("y", 6, 4))
	_, want := r.Finish()
	if v := r.Scale(x, 2); v != backend.None {
		t.Errorf("an operator after the error returned %d", v)
	}
	if y, stats := r.LayerNorm(x, backend.Norm{}); y != backend.None || stats != (backend.NormStats{}) {
		t.Errorf("an operator after the error returned %d", y)
	}
	r.Output(x, "x")
	r.Fail(errors.New("later"))
	if p, err := r.Finish(); p != nil || err != want {
		t.Errorf("got %v, expected the first error: %v", err, want)
	}
	if s := r.Shape(x); s != nil {
		t.Errorf("shape %v after the error", s)
	}
}

// TestProgram: a recorded program says what it holds, and operators list what they touch.
func TestProgram(t *testing.T) {
	r := backend.NewRecorder()
	x := r.Input("x", 4, 6)
	h := r.Linear(x, frozen(3, 6))
	g := r.MatMul(h, r.Param("w", buffer(18), 0, 3, 6), r.Scale(x, 1))
	r.Output(g, "out")
	p, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, op := range p.Ops() {
		words = append(words, op.Name())
	}
	if got := strings.Join(words, " "); got != "linear scale matmul" {
		t.Errorf("operators %q", got)
	}
	if i := p.Info(g); i.Name != "out" || !i.Output || i.Kind != backend.Temp || !i.Shape.Equal(tensor.Shape{4, 6}) {
		t.Errorf("output %+v", i)
	}
	access := map[backend.Value]backend.Access{}
	for _, o := range p.Ops()[2].Operands() {
		access[o.Value] |= o.Access
	}
	if access[g] != backend.ReadWrite || access[h] != backend.Read {
		t.Errorf("matmul onto its base touches %v", access)
	}
}
