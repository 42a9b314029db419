package backend

// A mixed batch holds images of many tasks. The parameters of all resident tasks lie in one Buffer, the arena, and an
// I32 input [B, columns], the mix, says for each image where it finds those of its task. Switching tasks changes the
// mix and nothing else: the Program stays the same. Offsets are elements of the arena, multiples of ParamAlign; -1 says
// that the image's task has no such part.
const (
	MixPool    = iota // the PoolMode that makes the image's features
	MixNorm           // offset of fc_norm: gamma [D], beta [D]
	MixStats          // offset of the head's running statistics: mean [F], variance [F]
	MixHead           // offset of the head: weight [classes, F], bias [classes]
	MixClasses        // number of classes
	MixOptions        // of the branches, as MixSequential and the following say
	MixScale          // s of the branches, the bits of a float32
	MixBlock          // offset of block 0's branch, then its r, a multiple of 4; the next columns are those of blocks 1, 2, ...
)

// Bits of the column MixOptions.
const (
	MixSequential = 1 << iota // the branches read the MLP's output
	MixNormIn                 // a LayerNorm on their input
	MixNormOut                // a LayerNorm on their output
)

// MixBranch is the column of a block's branch: its offset. The next one is its r.
func MixBranch(block int) int { return MixBlock + 2*block }

// BranchParts lays out a branch in the arena: down [r, d], bias [r], up [d, r] and upBias [d], each from a multiple of
// ParamAlign on. It gives the offsets behind down's, and the size of the whole. A branch with a norm goes on there with
// gamma [d] and beta [d].
func BranchParts(d, r int) (bias, up, upBias, size int) {
	bias = AlignParam(r * d)
	up = bias + AlignParam(r)
	upBias = up + AlignParam(d*r)
	return bias, up, upBias, upBias + AlignParam(d)
}

// AlignParam rounds a number of elements up to whole multiples of ParamAlign.
func AlignParam(n int) int { return (n + ParamAlign - 1) / ParamAlign * ParamAlign }

// Mixed names the operands that the operators of a mixed batch share.
type Mixed struct {
	Mix   Value // I32 [B, columns]
	Arena Value // [elements], float32 or float16
}

func (m Mixed) half() Value { return m.Arena }

func (m Mixed) integers() Value { return m.Mix }

// columns checks the mix of batch images and returns the number of its columns.
func (m Mixed) columns(p *Program, batch int) (int, error) {
	b, columns, err := matrix(p, "mix", m.Mix)
	return columns, firstError(err, want(p, "mix", m.Mix, batch, columns),
		option(columns >= MixBlock, "mix has %d columns, expected at least %d", columns, MixBlock),
		option(len(p.Shape(m.Arena)) == 1, "arena is %v, expected one axis", p.Shape(m.Arena)),
		option(b > 0, "mix has no rows"))
}

// MixedAdapter adds to the tokens of each image the AdaptMLP branch that its task has in a block, in place:
//
//	x += s (ReLU(in downᵀ + bias) upᵀ + upBias)      x, in [B T, D]
//
// with a LayerNorm on in, or on what is added, where the task has one. An image is left alone whose mix has -1 for the
// block, or whose branches are not where Sequential says. Bottleneck is the largest r that a mix may hold, and Norms is
// whether it may hold any; In may be X itself.
type MixedAdapter struct {
	Mixed
	Batch, Block, Bottleneck int
	Sequential, Norms        bool
	NormEps                  float32
	In, X                    Value
}

func (*MixedAdapter) Name() string { return "mixed_adapter" }

func (o *MixedAdapter) Operands() []Operand {
	if o.In == o.X {
		return reads(o.Mix, o.Arena).updates(o.X)
	}
	return reads(o.Mix, o.Arena, o.In).updates(o.X)
}

func (o *MixedAdapter) check(p *Program) error {
	m, d, err := matrix(p, "x", o.X)
	columns, e := o.columns(p, o.Batch)
	return firstError(err, e,
		want(p, "in", o.In, m, d),
		option(o.Batch > 0 && m%o.Batch == 0, "%d token rows do not divide into %d images", m, o.Batch),
		option(o.Block >= 0 && MixBranch(o.Block)+1 < columns, "block %d, the mix has columns for %d", o.Block, (columns-MixBlock)/2),
		option(o.NormEps > 0 || !o.Norms, "eps is %g, expected a positive number", o.NormEps),
		option(o.Bottleneck > 0 && o.Bottleneck%4 == 0, "bottleneck is %d, expected a multiple of 4", o.Bottleneck))
}

// MixedAdapter records x += branch(in) for the images with a branch where o says; the caller leaves In and X to this.
func (r *Recorder) MixedAdapter(x, in Value, o MixedAdapter) {
	o.In, o.X = in, x
	r.record(&o)
}

// MixedFeatures makes each image's features as its task wants them, and what the task's head reads:
//
//	f = cls | LayerNorm(mean) or mean | cls and mean | mean of the normed tokens      by MixPool
//	z = (f - runningMean) / sqrt(runningVar + StatsEps), or f
//
// Normed [B, 2 D] is PoolCLSMean after the backbone's last norm, Mean [B, D] is PoolMean before it; f, z [B, 2 D], zero
// beyond the F elements of the image's mode.
type MixedFeatures struct {
	Mixed
	NormEps, StatsEps float32
	Normed, Mean      Value
	F, Z              Value
}

func (*MixedFeatures) Name() string { return "mixed_features" }

func (o *MixedFeatures) Operands() []Operand {
	return reads(o.Mix, o.Arena, o.Normed, o.Mean).writes(o.F, o.Z)
}

func (o *MixedFeatures) check(p *Program) error {
	b, d, err := matrix(p, "mean", o.Mean)
	_, e := o.columns(p, b)
	return firstError(err, e, want(p, "normed", o.Normed, b, 2*d), want(p, "f", o.F, b, 2*d), want(p, "z", o.Z, b, 2*d),
		option(o.NormEps > 0 && o.StatsEps > 0, "eps are %g and %g, expected positive numbers", o.NormEps, o.StatsEps))
}

// MixedFeatures records f and z.
func (r *Recorder) MixedFeatures(normed, mean Value, m Mixed, normEps, statsEps float32) (f, z Value) {
	f, z = r.temp("features", r.Shape(normed)...), r.temp("headinput", r.Shape(normed)...)
	r.record(&MixedFeatures{Mixed: m, NormEps: normEps, StatsEps: statsEps, Normed: normed, Mean: mean, F: f, Z: z})
	return f, z
}

// MixedHead is each image's own classifier, y = z weightᵀ + bias over the F elements of its mode: z [B, 2 D], y [B, C], C
// being the most classes that a mix may hold; zero from the image's own number on.
type MixedHead struct {
	Mixed
	Z Value
	Y Value
}

func (*MixedHead) Name() string { return "mixed_head" }

func (o *MixedHead) Operands() []Operand { return reads(o.Mix, o.Arena, o.Z).writes(o.Y) }

func (o *MixedHead) check(p *Program) error {
	b, width, err := matrix(p, "z", o.Z)
	_, c, e := matrix(p, "y", o.Y)
	_, bad := o.columns(p, b)
	return firstError(err, e, bad, want(p, "y", o.Y, b, c), option(width%2 == 0, "z has %d columns, expected an even number", width))
}

// MixedHead records the logits of up to classes classes.
func (r *Recorder) MixedHead(z Value, m Mixed, classes int) Value {
	y := r.temp("mixedhead", r.dim(z, 0), classes)
	r.record(&MixedHead{Mixed: m, Z: z, Y: y})
	return y
}

// Width is the number of features that a mode makes of tokens of width dim.
func (m PoolMode) Width(dim int) int { return m.width(dim) }
