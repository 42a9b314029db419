package ref

// Pooling is the layout of a pooling: Batch images of Tokens rows of Dim channels, the first Prefix of them no patches.
// The features are token 0 (CLS), the mean of the patches (Mean), or both, concatenated.
type Pooling struct {
	CLS, Mean                  bool
	Batch, Tokens, Prefix, Dim int
}

// width is the number of features.
func (p Pooling) width() int {
	if p.CLS && p.Mean {
		return 2 * p.Dim
	}
	return p.Dim
}

// Pool gathers tokens x [B T, D] into features y [B, F].
func Pool[T Float](y, x []T, p Pooling) {
	for b := range p.Batch {
		out, tokens := row(y, b, p.width()), row(x, b, p.Tokens*p.Dim)
		if p.CLS {
			copy(out, tokens[:p.Dim])
			out = out[p.Dim:]
		}
		if !p.Mean {
			continue
		}
		for j := range p.Dim {
			var sum float64
			for t := p.Prefix; t < p.Tokens; t++ {
				sum += float64(tokens[t*p.Dim+j])
			}
			out[j] = T(sum / float64(p.Tokens-p.Prefix))
		}
	}
}

// PoolBackward spreads dy [B, F] over the tokens: dx [B T, D], every element written.
func PoolBackward[T Float](dx, dy []T, p Pooling) {
	clear(dx)
	for b := range p.Batch {
		g, tokens := row(dy, b, p.width()), row(dx, b, p.Tokens*p.Dim)
		if p.CLS {
			copy(tokens, g[:p.Dim])
			g = g[p.Dim:]
		}
		if !p.Mean {
			continue
		}
		for t := p.Prefix; t < p.Tokens; t++ {
			for j := range p.Dim {
				// Without prefix tokens token 0 is the class token and a patch.
				tokens[t*p.Dim+j] = T(float64(tokens[t*p.Dim+j]) + float64(g[j])/float64(p.Tokens-p.Prefix))
			}
		}
	}
}
