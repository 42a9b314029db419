package host

import (
	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
	"github.com/pkg/errors"
)

// reference is the table from operators to package ref: one case each.
func (e *Executable[T]) reference(op backend.Op) (func() error, error) {
	f := e.Floats
	switch o := op.(type) {
	case *backend.PatchEmbed:
		s := e.Shape(o.Image)
		g := ref.Patches{Batch: s[0], Height: s[2], Width: s[3], Size: o.Patch, Prefix: e.prefix(o), Dim: e.Shape(o.X)[1]}
		return always(func() { ref.PatchEmbed(f(o.X), f(o.Image), f(o.Weight), f(o.Bias), f(o.Prefix), f(o.Pos), g) })
	case *backend.LayerNorm:
		m, d := e.matrix(o.X)
		return always(func() {
			ref.LayerNorm(f(o.Y), f(o.Mean), f(o.Rstd), f(o.X), f(o.Gamma), f(o.Beta), float64(o.Eps), m, d)
		})
	case *backend.LayerNormBackward:
		m, d := e.matrix(o.X)
		return always(func() {
			ref.LayerNormBackward(f(o.DX), f(o.X), f(o.Gamma), f(o.Mean), f(o.Rstd), f(o.DY), f(o.Base), m, d)
		})
	case *backend.GainGrad:
		m, d := e.matrix(o.X)
		return always(func() { ref.GainGrad(f(o.DGamma), f(o.X), f(o.Mean), f(o.Rstd), f(o.DY), m, d) })
	case *backend.Linear:
		return e.linear(o)
	case *backend.LinearBackward:
		return e.linearBackward(o)
	case *backend.Attention:
		h := e.heads(o.Heads, o.QKV)
		return always(func() { ref.Attention(f(o.O), f(o.LSE), f(o.QKV), h) })
	case *backend.AttentionProbs:
		h := e.heads(o.Heads, o.QKV)
		return always(func() { ref.AttentionProbs(f(o.P), f(o.QKV), f(o.LSE), h) })
	case *backend.AttentionBackward:
		h := e.heads(o.Heads, o.QKV)
		return always(func() { ref.AttentionBackward(f(o.DQKV), f(o.Delta), f(o.QKV), f(o.O), f(o.LSE), f(o.DO), h) })
	case *backend.WindowAttention:
		w := e.windows(o.Windows, o.QKV)
		return always(func() { ref.WindowAttention(f(o.O), f(o.LSE), f(o.QKV), f(o.Pad), f(o.Table), w) })
	case *backend.WindowProbs:
		w := e.windows(o.Windows, o.QKV)
		return always(func() { ref.WindowProbs(f(o.P), f(o.QKV), f(o.Pad), f(o.Table), w) })
	case *backend.WindowAttentionBackward:
		w := e.windows(o.Windows, o.QKV)
		return always(func() {
			ref.WindowAttentionBackward(f(o.DQKV), f(o.Delta), f(o.QKV), f(o.Pad), f(o.Table), f(o.O), f(o.LSE), f(o.DO), w)
		})
	case *backend.PatchMerge:
		g := e.grid(o.Grid, o.X)
		return always(func() {
			ref.PatchMerge(f(o.Y), f(o.Mean), f(o.Rstd), f(o.X), f(o.Gamma), f(o.Beta), float64(o.Eps), g)
		})
	case *backend.PatchMergeBackward:
		g := e.grid(o.Grid, o.X)
		return always(func() { ref.PatchMergeBackward(f(o.DX), f(o.X), f(o.Gamma), f(o.Mean), f(o.Rstd), f(o.DY), g) })
	case *backend.AdaptDown:
		m, d := e.matrix(o.X)
		_, r := e.matrix(o.H)
		return always(func() { ref.AdaptDown(f(o.H), f(o.X), f(o.Down), f(o.Bias), e.dropout(o), m, d, r) })
	case *backend.AdaptDownBackward:
		m, d := e.matrix(o.G)
		_, r := e.matrix(o.H)
		return always(func() { ref.AdaptDownBackward(f(o.DH), f(o.G), f(o.Up), f(o.H), float64(o.Scale), m, d, r) })
	case *backend.Affine:
		m, k := e.matrix(o.X)
		_, n := e.matrix(o.Y)
		return always(func() { ref.Affine(f(o.Y), f(o.X), f(o.W), f(o.Bias), m, n, k) })
	case *backend.MatMul:
		m, n := e.matrix(o.A)
		_, k := e.matrix(o.C)
		return always(func() { ref.MatMul(f(o.C), f(o.A), f(o.B), f(o.Base), m, n, k) })
	case *backend.WeightGrad:
		m, n := e.matrix(o.DY)
		_, k := e.matrix(o.X)
		return always(func() { ref.WeightGrad(f(o.DW), f(o.DY), f(o.X), float64(o.Scale), m, n, k) })
	case *backend.BiasGrad:
		m, n := e.matrix(o.DY)
		return always(func() { ref.BiasGrad(f(o.DB), f(o.DY), float64(o.Scale), m, n) })
	case *backend.Pool:
		p := e.pooling(o.Mode, o.Batch, o.Prefix, o.X)
		return always(func() { ref.Pool(f(o.Y), f(o.X), p) })
	case *backend.PoolBackward:
		p := e.pooling(o.Mode, o.Batch, o.Prefix, o.DX)
		return always(func() { ref.PoolBackward(f(o.DX), f(o.DY), p) })
	case *backend.BatchNorm:
		return e.batchNorm(o)
	case *backend.BatchNormBackward:
		b, n := e.matrix(o.Y)
		return always(func() { ref.BatchNormBackward(f(o.DX), f(o.Y), f(o.Rstd), f(o.DY), b, n) })
	case *backend.CrossEntropy:
		b, c := e.matrix(o.Z)
		return func() error {
			return ref.CrossEntropy(f(o.Loss), f(o.DZ), f(o.Z), e.Ints(o.Target), float64(o.Scale), float64(o.Smoothing), b, c)
		}, nil
	case *backend.BinaryCrossEntropy:
		b, c := e.matrix(o.Z)
		return always(func() { ref.BinaryCrossEntropy(f(o.Loss), f(o.DZ), f(o.Z), f(o.Target), float64(o.Scale), b, c) })
	case *backend.MixedAdapter:
		return e.mixedAdapter(o)
	case *backend.MixedFeatures:
		return e.mixedFeatures(o)
	case *backend.MixedHead:
		return e.mixedHead(o)
	case *backend.AdamW:
		return always(func() {
			ref.AdamW(f(o.Param), f(o.M), f(o.V), f(o.Grad), f(o.Rates), float64(o.Beta1), float64(o.Beta2), float64(o.Eps), float64(o.WeightDecay))
		})
	case *backend.ClipNorm:
		return always(func() { ref.ClipNorm(f(o.X), float64(o.Max)) })
	case *backend.SGD:
		return always(func() {
			ref.SGD(f(o.Param), f(o.Velocity), f(o.Grad), float64(f(o.LR)[0]), float64(o.Momentum), float64(o.WeightDecay))
		})
	case *backend.SwiGLU:
		m, h := e.matrix(o.Y)
		return always(func() { ref.SwiGLU(f(o.Y), f(o.X), m, h) })
	case *backend.SwiGLUBackward:
		m, h := e.matrix(o.DY)
		return always(func() { ref.SwiGLUBackward(f(o.DX), f(o.X), f(o.DY), m, h) })
	case *backend.Add:
		return always(func() { ref.Add(f(o.Y), f(o.A), f(o.B)) })
	case *backend.Scale:
		return always(func() { ref.Scale(f(o.Y), f(o.X), float64(o.Factor)) })
	case *backend.ScaleBy:
		return always(func() { ref.Scale(f(o.Y), f(o.X), float64(f(o.S)[0])) })
	}
	return nil, errors.Errorf("no reference for %T", op)
}

func (e *Executable[T]) linear(o *backend.Linear) (func() error, error) {
	f := e.Floats
	m, k := e.matrix(o.X)
	n, w := o.W.Rows(), e.Weight(o.W)
	x := func() []T { return ref.RoundActivations(f(o.X), m, k, o.Block) }
	switch o.Epilogue {
	case backend.EpiNone:
		half := e.p.Info(o.Y).Type == backend.F16
		return always(func() {
			ref.Linear(f(o.Y), x(), w, f(o.Bias), m, n, k)
			if half {
				ref.RoundHalf(f(o.Y))
			}
		})
	case backend.EpiResidual:
		return always(func() { ref.LinearResidual(f(o.Y), x(), w, f(o.Bias), f(o.Residual), m, n, k) })
	case backend.EpiGELU:
		return always(func() { ref.LinearGELU(f(o.Y), f(o.DGELU), x(), w, f(o.Bias), m, n, k) })
	case backend.EpiResidualAdapter:
		_, r := e.matrix(o.Hidden)
		up := ref.AdapterUp[T]{Hidden: f(o.Hidden), Up: f(o.Up), Bias: f(o.UpBias), Scale: float64(o.AdapterScale), R: r}
		return always(func() { ref.LinearResidualAdapter(f(o.Y), x(), w, f(o.Bias), f(o.Residual), up, m, n, k) })
	}
	return nil, errors.Errorf("unknown epilogue %d", o.Epilogue)
}

func (e *Executable[T]) linearBackward(o *backend.LinearBackward) (func() error, error) {
	f := e.Floats
	m, n := e.matrix(o.DY)
	k, w := o.W.Cols(), e.Weight(o.W)
	if o.Block == 0 {
		return always(func() { ref.LinearBackward(f(o.DX), f(o.DY), w, f(o.DGELU), m, n, k) })
	}
	scaled, ok := w.(ref.Scaled)
	if m, int4 := w.(quant.Matrix); !ok || int4 && m.Scheme.Group() > 0 {
		return nil, errors.Errorf("int8 gradients through a weight of %T", w)
	}
	return always(func() { ref.LinearBackwardInt8(f(o.DX), f(o.DY), scaled, f(o.DGELU), m, n, k, o.Block) })
}

func (e *Executable[T]) batchNorm(o *backend.BatchNorm) (func() error, error) {
	f := e.Floats
	b, n := e.matrix(o.X)
	if o.Train {
		return always(func() {
			ref.BatchNormTrain(f(o.Y), f(o.Rstd), f(o.RunningMean), f(o.RunningVar), f(o.X), float64(o.Eps), float64(o.Momentum), b, n)
		})
	}
	return always(func() {
		ref.BatchNorm(f(o.Y), f(o.X), f(o.RunningMean), f(o.RunningVar), float64(o.Eps), b, n)
	})
}

// dropout reads the key of this run.
func (e *Executable[T]) dropout(o *backend.AdaptDown) ref.Dropout {
	d := ref.Dropout{P: o.Dropout, Stream: o.Stream}
	if o.Key != backend.None {
		d.Key = uint32(e.Ints(o.Key)[0])
	}
	return d
}

func (e *Executable[T]) heads(h backend.Heads, qkv backend.Value) ref.Heads {
	return ref.Heads{Batch: h.Batch, Tokens: h.Tokens, Count: h.Count, Dim: e.Shape(qkv)[1] / (3 * h.Count)}
}

// prefix is the number of tokens that belong to no patch.
func (e *Executable[T]) prefix(o *backend.PatchEmbed) int {
	if o.Prefix == backend.None {
		return 0
	}
	return e.Shape(o.Prefix)[0]
}

func (e *Executable[T]) windows(w backend.Windows, qkv backend.Value) ref.Windows {
	return ref.Windows{Batch: w.Batch, Count: w.Count, Dim: e.Shape(qkv)[1] / (3 * w.Count), Layout: w.Layout}
}

func (e *Executable[T]) grid(g backend.Grid, x backend.Value) ref.Grid {
	return ref.Grid{Batch: g.Batch, Rows: g.Rows, Columns: g.Columns, Dim: e.Shape(x)[1]}
}

func (e *Executable[T]) pooling(mode backend.PoolMode, batch, prefix int, tokens backend.Value) ref.Pooling {
	m, d := e.matrix(tokens)
	return ref.Pooling{CLS: mode != backend.PoolMean, Mean: mode != backend.PoolCLS, Batch: batch, Tokens: m / batch, Prefix: prefix, Dim: d}
}

// matrix is the extents of a rank-2 value.
func (e *Executable[T]) matrix(v backend.Value) (rows, cols int) {
	s := e.Shape(v)
	return s[0], s[1]
}

// always is an operator that depends on no data that could be wrong.
func always(f func()) (func() error, error) {
	return func() error { f(); return nil }, nil
}
