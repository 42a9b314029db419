package cpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// patches is the layout of a patch embedding: columns and rows of the grid, pixels of a patch in one channel's row.
type patches struct{ batch, height, width, size, prefix, dim int }

// patchEmbed is x = [prefix; patches Wᵀ + bias + pos], per image. The patches are laid out as rows of a matrix that
// has zero rows for the prefix tokens, so that the whole batch is one product.
func (d *device) patchEmbed(e *executable, o *backend.PatchEmbed) func() {
	s := e.Shape(o.Image)
	_, dim := matrix(e, o.Pos)
	pre := 0
	if o.Prefix != backend.None {
		pre, _ = matrix(e, o.Prefix)
	}
	p := patches{batch: s[0], height: s[2], width: s[3], size: o.Patch, prefix: pre, dim: dim}
	tokens, pixels := p.prefix+p.count(), 3*p.size*p.size
	unfolded := e.Scratch(p.batch * tokens * pixels)
	image := e.Floats(o.Image)
	g := &gemm{set: d.set, m: p.batch * tokens, n: dim, c: e.Floats(o.X), ldc: dim,
		terms: []term{{a: unfolded, rs: pixels, cs: 1, k: pixels, b: transposed{d.set, e.Floats(o.Weight), dim, pixels, 1}}}}
	bias, prefix, pos := e.Floats(o.Bias), e.Floats(o.Prefix), e.Floats(o.Pos)
	g.finish = func(i, m, j, n int) {
		for r := i; r < i+m; r++ {
			out, t := g.c[r*dim+j:r*dim+j+n], r%tokens
			if t < p.prefix {
				copy(out, prefix[t*dim+j:])
				continue
			}
			d.set.Add(out, bias[j:j+n])
			at := (t-p.prefix)*dim + j
			d.set.Add(out, pos[at:at+n])
		}
	}
	multiply := g.compile(d.pool)
	unfold := func(_ *worker, i int) {
		b, row := i/p.rows(), i%p.rows()
		p.unfold(unfolded[(b*tokens+p.prefix+row*p.columns())*pixels:], image[b*3*p.height*p.width:], row)
	}
	return func() {
		d.pool.run(p.batch*p.rows(), unfold)
		multiply()
	}
}

func (p patches) rows() int    { return p.height / p.size }
func (p patches) columns() int { return p.width / p.size }
func (p patches) count() int   { return p.rows() * p.columns() }

// unfold writes the patches of one row of the grid, each flattened as channel, row, column.
func (p patches) unfold(dst, image []float32, row int) {
	at := 0
	for column := range p.columns() {
		for c := range 3 {
			for y := range p.size {
				from := (c*p.height+row*p.size+y)*p.width + column*p.size
				copy(dst[at:at+p.size], image[from:])
				at += p.size
			}
		}
	}
}
