package ref

// Grid is Batch images of Rows x Columns tokens of Dim channels, row by row.
type Grid struct{ Batch, Rows, Columns, Dim int }

// squares calls f for the four places of each square of 2 x 2 tokens, in the order of Swin's patch merging: by column, then
// by row. token is -1 where an odd side ends.
func (g Grid) squares(f func(square, part, token int)) {
	rows, columns := (g.Rows+1)/2, (g.Columns+1)/2
	for i := range g.Batch * rows * columns {
		image, y, x := i/(rows*columns), i/columns%rows*2, i%columns*2
		for part := range 4 {
			r, c := y+part%2, x+part/2
			if r < g.Rows && c < g.Columns {
				f(i, part, (image*g.Rows+r)*g.Columns+c)
			} else {
				f(i, part, -1)
			}
		}
	}
}

// count is the number of squares.
func (g Grid) count() int { return g.Batch * ((g.Rows + 1) / 2) * ((g.Columns + 1) / 2) }

// merged is the squares of x side by side, [B T', 4 D], zeros where there is no token.
func merged[T Float](g Grid, x []T) []T {
	y := make([]T, g.count()*4*g.Dim)
	g.squares(func(square, part, token int) {
		if token >= 0 {
			copy(row(y, 4*square+part, g.Dim), row(x, token, g.Dim))
		}
	})
	return y
}

// PatchMerge is LayerNorm over the squares of 2 x 2 tokens, the first half of Swin's patch merging:
//
//	y = LayerNorm(x[0,0], x[1,0], x[0,1], x[1,1])        [row, column] in the square; zeros where an odd side ends
//
// x [B T, D]; y [B T', 4 D]; gamma, beta [4 D]; mean, rstd [B T'].
func PatchMerge[T Float](y, mean, rstd, x, gamma, beta []T, eps float64, g Grid) {
	LayerNorm(y, mean, rstd, merged(g, x), gamma, beta, eps, g.count(), 4*g.Dim)
}

// PatchMergeBackward is the input gradient: that of the LayerNorm, each part of a square to its token.
func PatchMergeBackward[T Float](dx, x, gamma, mean, rstd, dy []T, g Grid) {
	d := make([]T, g.count()*4*g.Dim)
	LayerNormBackward(d, merged(g, x), gamma, mean, rstd, dy, nil, g.count(), 4*g.Dim)
	g.squares(func(square, part, token int) {
		if token >= 0 {
			copy(row(dx, token, g.Dim), row(d, 4*square+part, g.Dim))
		}
	})
}
