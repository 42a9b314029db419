package backend

// Grid is Batch images of Rows x Columns tokens each, row by row.
type Grid struct{ Batch, Rows, Columns int }

// Tokens is the number of tokens of all images.
func (g Grid) Tokens() int { return g.Batch * g.Rows * g.Columns }

// Merged is the grid of squares of 2 x 2 tokens; odd sides are padded.
func (g Grid) Merged() Grid { return Grid{g.Batch, (g.Rows + 1) / 2, (g.Columns + 1) / 2} }

// PatchMerge sets the tokens of each square of 2 x 2 side by side and normalises them, the first half of Swin's patch
// merging:
//
//	y = LayerNorm(x[0,0], x[1,0], x[0,1], x[1,1])        [row, column] in the square; zeros where an odd side ends
//
// x [B T, D]; y [B T', 4 D]; gamma, beta [4 D]; mean, rstd [B T']; T' squares an image.
type PatchMerge struct {
	Grid
	Eps            float32
	X, Gamma, Beta Value
	Y, Mean, Rstd  Value
}

func (*PatchMerge) Name() string { return "patchmerge" }

func (o *PatchMerge) Operands() []Operand {
	return reads(o.X, o.Gamma, o.Beta).writes(o.Y, o.Mean, o.Rstd)
}

func (o *PatchMerge) check(p *Program) error {
	d, err := o.dim(p, o.X)
	m := o.Merged().Tokens()
	return firstError(err,
		want(p, "gamma", o.Gamma, 4*d), want(p, "beta", o.Beta, 4*d), want(p, "y", o.Y, m, 4*d),
		want(p, "mean", o.Mean, m), want(p, "rstd", o.Rstd, m),
		option(o.Eps > 0, "eps is %g, expected a positive number", o.Eps))
}

func (g Grid) dim(p *Program, x Value) (int, error) {
	_, d, err := matrix(p, "x", x)
	return d, firstError(err, option(g.Batch > 0 && g.Rows > 0 && g.Columns > 0, "grid %+v has no tokens", g), want(p, "x", x, g.Tokens(), d))
}

// PatchMerge records y.
func (r *Recorder) PatchMerge(x Value, n Norm, g Grid) (Value, NormStats) {
	if r.err != nil {
		return None, NormStats{}
	}
	m := max(g.Merged().Tokens(), 1)
	op := &PatchMerge{Grid: g, Eps: n.Eps, X: x,
		Gamma: r.Param("gamma", n.Gamma, 0, n.Gamma.Len()), Beta: r.Param("beta", n.Beta, 0, n.Beta.Len()),
		Y: r.temp("patchmerge", m, 4*r.dim(x, 1)), Mean: r.temp("mean", m), Rstd: r.temp("rstd", m)}
	r.record(op)
	return op.Y, NormStats{op.Mean, op.Rstd}
}

// PatchMergeBackward is the input gradient of a frozen PatchMerge, as LayerNormBackward over the squares: dy [B T', 4 D],
// dx [B T, D], every element written.
type PatchMergeBackward struct {
	Grid
	X, Gamma, Mean, Rstd, DY Value
	DX                       Value
}

func (*PatchMergeBackward) Name() string { return "patchmerge_bwd_x" }

func (o *PatchMergeBackward) Operands() []Operand {
	return reads(o.X, o.Gamma, o.Mean, o.Rstd, o.DY).writes(o.DX)
}

func (o *PatchMergeBackward) check(p *Program) error {
	d, err := o.dim(p, o.X)
	m := o.Merged().Tokens()
	return firstError(err, want(p, "gamma", o.Gamma, 4*d), want(p, "mean", o.Mean, m), want(p, "rstd", o.Rstd, m),
		want(p, "dy", o.DY, m, 4*d), want(p, "dx", o.DX, o.Tokens(), d))
}

// PatchMergeBackward records dx of a PatchMerge over x.
func (r *Recorder) PatchMergeBackward(x Value, n Norm, s NormStats, dy Value, g Grid) Value {
	if r.err != nil {
		return None
	}
	dx := r.temp("dpatchmerge", r.Shape(x)...)
	r.record(&PatchMergeBackward{Grid: g, X: x, Gamma: r.Param("gamma", n.Gamma, 0, n.Gamma.Len()),
		Mean: s.Mean, Rstd: s.Rstd, DY: dy, DX: dx})
	return dx
}
