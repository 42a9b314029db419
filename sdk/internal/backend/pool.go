package backend

// PoolMode says which tokens become an image's feature vector.
type PoolMode uint8

const (
	PoolCLS      PoolMode = iota // token 0
	PoolMean                     // mean of the patch tokens, the first Prefix tokens left out
	PoolCLSMean                  // both, concatenated
	PoolNormMean                 // in a mix only: the mean of normed tokens
)

// Pool gathers tokens [B T, D] into features [B, F]; F is D, or 2 D for PoolCLSMean.
type Pool struct {
	Mode          PoolMode
	Batch, Prefix int
	X             Value
	Y             Value
}

func (*Pool) Name() string { return "pool" }

func (o *Pool) Operands() []Operand { return reads(o.X).writes(o.Y) }

func (o *Pool) check(p *Program) error { return checkPool(p, o.Mode, o.Batch, o.Prefix, o.X, o.Y) }

func (m PoolMode) width(dim int) int {
	if m == PoolCLSMean {
		return 2 * dim
	}
	return dim
}

func checkPool(p *Program, mode PoolMode, batch, prefix int, x, y Value) error {
	m, d, err := matrix(p, "tokens", x)
	return firstError(err,
		option(batch > 0 && m%batch == 0, "%d token rows do not divide into %d images", m, batch),
		option(mode <= PoolCLSMean, "unknown mode %d", mode),
		option(prefix >= 0 && m/max(batch, 1) > prefix, "%d tokens an image, %d of them no patches", m/max(batch, 1), prefix),
		want(p, "features", y, batch, mode.width(d)))
}

// Pool records the feature vectors of batch images; prefix tokens stand before the patches.
func (r *Recorder) Pool(x Value, mode PoolMode, batch, prefix int) Value {
	y := r.temp("pool", batch, mode.width(r.dim(x, 1)))
	r.record(&Pool{Mode: mode, Batch: batch, Prefix: prefix, X: x, Y: y})
	return y
}

// PoolBackward spreads dy [B, F] over the tokens: dx [B T, D], every element written.
type PoolBackward struct {
	Mode          PoolMode
	Batch, Prefix int
	DY            Value
	DX            Value
}

func (*PoolBackward) Name() string { return "pool_bwd_x" }

func (o *PoolBackward) Operands() []Operand { return reads(o.DY).writes(o.DX) }

func (o *PoolBackward) check(p *Program) error {
	return checkPool(p, o.Mode, o.Batch, o.Prefix, o.DX, o.DY)
}

// PoolBackward records the gradient at tokens of shape like.
func (r *Recorder) PoolBackward(dy, like Value, mode PoolMode, batch, prefix int) Value {
	dx := r.temp("dpool", r.Shape(like)...)
	r.record(&PoolBackward{Mode: mode, Batch: batch, Prefix: prefix, DY: dy, DX: dx})
	return dx
}
