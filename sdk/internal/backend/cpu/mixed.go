package cpu

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend"
	"github.com/edgeadapt/edgeadapt/sdk/internal/ref"
)

// mixedAdapter is x += s (ReLU(in downᵀ + bias) upᵀ + upBias) with each image's own branch. A task takes rows of one image
// through both products, so that the hidden rows stay in the worker's cache.
func (d *device) mixedAdapter(e *executable, o *backend.MixedAdapter) func() {
	m, dim := matrix(e, o.X)
	mix, x, in, tokens := e.Mix(o.Mixed), e.Floats(o.X), e.Floats(o.In), m/o.Batch
	widen := d.widenHalves()
	// Large pieces reuse the panels that they pack; two for each thread keep all busy.
	perImage := pieces(2*d.pool.size(), o.Batch)
	rows := pieces(pieces(tokens, perImage), d.set.MR) * d.set.MR
	perImage = pieces(tokens, rows)
	task := func(w *worker, i int) {
		image := i / perImage
		b, ok := mix.In(&w.wide, widen).Branch(image, dim, o)
		if !ok {
			return
		}
		from, to := bounds(i%perImage, rows, tokens)
		from, to = image*tokens+from, image*tokens+to
		d.branch(w, x[from*dim:to*dim], in[from*dim:to*dim], b, to-from, dim)
	}
	return func() { d.pool.run(o.Batch*perImage, task) }
}

// widenHalves widens rows of the arena: whole vectors, as all parts of it are.
func (d *device) widenHalves() func(dst []float32, src []uint16) {
	ones := make([]float32, d.set.NR)
	for i := range ones {
		ones[i] = 1
	}
	return func(dst []float32, src []uint16) { d.set.WidenHalf(dst, src, ones) }
}

// branch adds b of m rows of in to those of x.
func (d *device) branch(w *worker, x, in []float32, b ref.Branch[float32], m, dim int) {
	if cap(w.hidden) < m*b.R {
		w.hidden = aligned(m * b.R)
	}
	if (b.NormIn || b.NormOut) && cap(w.normed) < m*dim {
		w.normed = aligned(m * dim)
	}
	h, scale := w.hidden[:m*b.R], float32(b.Scale)
	if b.NormIn {
		d.branchNorm(w.normed[:m*dim], in, b, m, dim)
		in = w.normed[:m*dim]
	}
	down := gemm{set: d.set, m: m, n: b.R, c: h, ldc: b.R}
	down.multiply(w, term{a: in, rs: dim, cs: 1, k: dim, b: transposed{d.set, b.Down, b.R, dim, 1}})
	for i := range m {
		row := h[i*b.R : (i+1)*b.R]
		d.set.Add(row, b.Bias)
		for j, v := range row {
			row[j] = max(v, 0)
		}
	}
	to := x
	if b.NormOut {
		to = w.normed[:m*dim]
	}
	up := gemm{set: d.set, m: m, n: dim, c: to, ldc: dim, accumulate: !b.NormOut}
	up.multiply(w, term{a: h, rs: b.R, cs: 1, k: b.R, b: transposed{d.set, b.Up, dim, b.R, scale}})
	for i := range m {
		d.set.Axpy(to[i*dim:(i+1)*dim], b.UpBias, scale)
	}
	if b.NormOut {
		d.branchNorm(to, to, b, m, dim)
		d.set.Add(x, to)
	}
}

// branchNorm is b's LayerNorm of m rows; y may be x.
func (d *device) branchNorm(y, x []float32, b ref.Branch[float32], m, dim int) {
	for i := range m {
		in := x[i*dim : (i+1)*dim]
		mu := d.set.Sum(in) / float32(dim)
		variance := float64(d.set.Squares(in, mu)) / float64(dim)
		d.set.Normalize(y[i*dim:(i+1)*dim], in, b.Gamma, b.Beta, mu, float32(1/math.Sqrt(variance+b.Eps)))
	}
}

// multiply computes C on one worker.
func (g *gemm) multiply(w *worker, t term) {
	g.terms = []term{t}
	g.rows, g.group = g.m, min(panelGroup(g.set), pieces(g.n, g.set.NR))
	for i := range pieces(pieces(g.n, g.set.NR), g.group) {
		g.task(w, i)
	}
}

// headClasses is how many classes of one image a task of MixedHead takes.
const headClasses = 32

// mixedHead is each image's own classifier: one inner product a class.
func (d *device) mixedHead(e *executable, o *backend.MixedHead) func() {
	batch, width := matrix(e, o.Z)
	_, classes := matrix(e, o.Y)
	mix, z, y := e.Mix(o.Mixed), e.Floats(o.Z), e.Floats(o.Y)
	perImage, widen := pieces(classes, headClasses), d.widenHalves()
	task := func(k *worker, i int) {
		image := i / perImage
		from, to := bounds(i%perImage, headClasses, classes)
		out := y[image*classes+from : image*classes+to]
		clear(out)
		f := mix.Mode(image).Width(width / 2)
		weight, bias := mix.In(&k.wide, widen).Head(image, f, from, to)
		for c, b := range bias {
			out[c] = d.set.Dot(z[image*width:image*width+f], weight[c*f:(c+1)*f]) + b
		}
	}
	return func() { d.pool.run(batch*perImage, task) }
}
