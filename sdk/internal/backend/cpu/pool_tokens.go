package cpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend"

// pooling is the layout of a pooling, an image of tokens rows to a task.
type pooling struct {
	cls, mean                         bool
	batch, tokens, prefix, dim, width int
}

func newPooling(e *executable, mode backend.PoolMode, batch, prefix int, tokens, features backend.Value) pooling {
	m, dim := matrix(e, tokens)
	_, width := matrix(e, features)
	return pooling{cls: mode != backend.PoolMean, mean: mode != backend.PoolCLS,
		batch: batch, tokens: m / batch, prefix: prefix, dim: dim, width: width}
}

// poolTokens gathers the features of each image.
func (d *device) poolTokens(e *executable, o *backend.Pool) func() {
	p := newPooling(e, o.Mode, o.Batch, o.Prefix, o.X, o.Y)
	x, y := e.Floats(o.X), e.Floats(o.Y)
	task := func(_ *worker, b int) {
		tokens, out := x[b*p.tokens*p.dim:(b+1)*p.tokens*p.dim], y[b*p.width:(b+1)*p.width]
		if p.cls {
			copy(out, tokens[:p.dim])
			out = out[p.dim:]
		}
		if p.mean {
			clear(out)
			for t := p.prefix; t < p.tokens; t++ {
				d.set.Add(out, tokens[t*p.dim:(t+1)*p.dim])
			}
			d.set.Scale(out, 1/float32(p.tokens-p.prefix))
		}
	}
	return func() { d.pool.run(p.batch, task) }
}

// poolBackward spreads the gradient at the features over the tokens.
func (d *device) poolBackward(e *executable, o *backend.PoolBackward) func() {
	p := newPooling(e, o.Mode, o.Batch, o.Prefix, o.DX, o.DY)
	dy, dx := e.Floats(o.DY), e.Floats(o.DX)
	task := func(_ *worker, b int) {
		g, tokens := dy[b*p.width:(b+1)*p.width], dx[b*p.tokens*p.dim:(b+1)*p.tokens*p.dim]
		clear(tokens)
		if p.mean {
			mean := g[p.width-p.dim:]
			for t := p.prefix; t < p.tokens; t++ {
				d.set.Axpy(tokens[t*p.dim:(t+1)*p.dim], mean, 1/float32(p.tokens-p.prefix))
			}
		}
		if p.cls { // token 0 is also a patch where there is no prefix
			d.set.Add(tokens[:p.dim], g[:p.dim])
		}
	}
	return func() { d.pool.run(p.batch, task) }
}
