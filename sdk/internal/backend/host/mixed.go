package host

import (
	"math"
	"slices"

	"github.com/edgeadapt/edgeadapt/quant"
	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// Mix is a mixed batch's table as kernels read it, while a Program runs.
type Mix[T ref.Float] struct {
	rows    []int32
	columns int
	arena   []T
	halves  []uint16 // the arena where it is float16
	widen   Widen[T]
	room    *[]T // for parts of halves
}

// Widen is dst = src, IEEE halves.
type Widen[T ref.Float] func(dst []T, src []uint16)

func widen[T ref.Float](dst []T, src []uint16) {
	for i, h := range src {
		dst[i] = T(quant.FromF16(h))
	}
}

// In is m for one task of one goroutine: parts of a float16 arena are widened into room, which it empties and grows, by w.
func (m Mix[T]) In(room *[]T, w Widen[T]) Mix[T] {
	*room = (*room)[:0]
	m.room, m.widen = room, w
	return m
}

// Mix finds the operands that mixed operators share; to be called while compiling.
func (e *Executable[T]) Mix(o backend.Mixed) Mix[T] {
	return Mix[T]{rows: e.Ints(o.Mix), columns: e.Shape(o.Mix)[1], arena: e.Floats(o.Arena), halves: e.halves[o.Arena]}
}

func (m Mix[T]) at(image, column int) int { return int(m.rows[image*m.columns+column]) }

// part is n elements from offset on.
func (m Mix[T]) part(offset, n int) []T {
	if m.halves == nil {
		return m.arena[offset : offset+n : offset+n]
	}
	whole := backend.AlignParam(n) // as the arena is laid out: kernels widen whole vectors
	at := len(*m.room)
	*m.room = slices.Grow(*m.room, whole)[:at+whole]
	x := (*m.room)[at : at+whole]
	m.widen(x, m.halves[offset:offset+whole])
	return x[:n:n]
}

// Branch is an image's branch as an operator adds it to tokens of width d; false where its task has none there, or one at
// another place.
func (m Mix[T]) Branch(image, d int, o *backend.MixedAdapter) (ref.Branch[T], bool) {
	column, options := backend.MixBranch(o.Block), m.at(image, backend.MixOptions)
	at, r := m.at(image, column), m.at(image, column+1)
	if at < 0 || (options&backend.MixSequential != 0) != o.Sequential {
		return ref.Branch[T]{}, false
	}
	bias, up, upBias, norm := backend.BranchParts(d, r)
	b := ref.Branch[T]{Down: m.part(at, r*d), Bias: m.part(at+bias, r), Up: m.part(at+up, d*r), UpBias: m.part(at+upBias, d),
		Scale: float64(math.Float32frombits(uint32(m.at(image, backend.MixScale)))), R: r,
		NormIn: options&backend.MixNormIn != 0, NormOut: options&backend.MixNormOut != 0, Eps: float64(o.NormEps)}
	if b.NormIn || b.NormOut {
		b.Gamma, b.Beta = m.part(at+norm, d), m.part(at+norm+backend.AlignParam(d), d)
	}
	return b, true
}

// Mode is how an image's features are pooled.
func (m Mix[T]) Mode(image int) backend.PoolMode {
	return backend.PoolMode(m.at(image, backend.MixPool))
}

// pair is two parts of n elements, nil where the image's task has none.
func (m Mix[T]) pair(image, column, n int) (a, b []T) {
	at := m.at(image, column)
	if at < 0 {
		return nil, nil
	}
	return m.part(at, n), m.part(at+backend.AlignParam(n), n)
}

// Norm is an image's fc_norm for features of width d, nil where it has none.
func (m Mix[T]) Norm(image, d int) (gamma, beta []T) { return m.pair(image, backend.MixNorm, d) }

// Stats are the running statistics of an image's head for f features, nil where it has none.
func (m Mix[T]) Stats(image, f int) (mean, variance []T) { return m.pair(image, backend.MixStats, f) }

// Head are the classes of an image's classifier of f features from one on, before another; nil where its task has none of them.
func (m Mix[T]) Head(image, f, from, to int) (weight, bias []T) {
	at, n := m.at(image, backend.MixHead), m.at(image, backend.MixClasses)
	if to = min(to, n); at < 0 || from >= to {
		return nil, nil
	}
	first := from * f &^ (backend.ParamAlign - 1) // parts begin at multiples
	return m.part(at+first, to*f-first)[from*f-first:], m.part(at+backend.AlignParam(n*f), n)[from:to]
}

func (e *Executable[T]) mixedAdapter(o *backend.MixedAdapter) (func() error, error) {
	m, d := e.matrix(o.X)
	mix, x, in, tokens := e.Mix(o.Mixed), e.Floats(o.X), e.Floats(o.In), m/o.Batch
	var room []T
	return always(func() {
		for i := range o.Batch {
			if b, ok := mix.In(&room, widen).Branch(i, d, o); ok {
				ref.MixedAdapter(x[i*tokens*d:(i+1)*tokens*d], in[i*tokens*d:(i+1)*tokens*d], b, tokens, d)
			}
		}
	})
}

// Features copies to f what an image's mode takes of the pooled vectors, before any fc_norm, and returns its width.
func (m Mix[T]) Features(f, normed, mean []T, image int) int {
	mode, d := m.Mode(image), len(mean)
	clear(f)
	switch mode {
	case backend.PoolMean:
		copy(f, mean)
	case backend.PoolNormMean:
		copy(f, normed[d:])
	default:
		copy(f, normed[:mode.Width(d)])
	}
	return mode.Width(d)
}

func (e *Executable[T]) mixedFeatures(o *backend.MixedFeatures) (func() error, error) {
	b, d := e.matrix(o.Mean)
	mix, normed, mean, f, z := e.Mix(o.Mixed), e.Floats(o.Normed), e.Floats(o.Mean), e.Floats(o.F), e.Floats(o.Z)
	var stat [2]T
	var room []T
	return always(func() {
		for i := range b {
			mix := mix.In(&room, widen)
			fi, zi := f[2*i*d:2*(i+1)*d], z[2*i*d:2*(i+1)*d]
			n := mix.Features(fi, normed[2*i*d:2*(i+1)*d], mean[i*d:(i+1)*d], i)
			if gamma, beta := mix.Norm(i, d); gamma != nil {
				ref.LayerNorm(fi[:d], stat[:1], stat[1:], mean[i*d:(i+1)*d], gamma, beta, float64(o.NormEps), 1, d)
			}
			clear(zi)
			mu, variance := mix.Stats(i, n)
			ref.MixedFeatures(zi[:n], fi[:n], mu, variance, float64(o.StatsEps))
		}
	})
}

func (e *Executable[T]) mixedHead(o *backend.MixedHead) (func() error, error) {
	b, width := e.matrix(o.Z)
	_, c := e.matrix(o.Y)
	mix, z, y := e.Mix(o.Mixed), e.Floats(o.Z), e.Floats(o.Y)
	var room []T
	return always(func() {
		clear(y)
		for i := range b {
			f := mix.Mode(i).Width(width / 2)
			if w, bias := mix.In(&room, widen).Head(i, f, 0, c); w != nil {
				ref.MixedHead(y[i*c:i*c+len(bias)], z[i*width:i*width+f], w, bias)
			}
		}
	})
}
