package backend

import "slices"

// Epilogue is what a Linear does to its sums before it stores them.
type Epilogue uint8

const (
	EpiNone            Epilogue = iota // y = a
	EpiResidual                        // y = residual + a
	EpiGELU                            // y = GELU(a), erf form; stores GELU'(a) where wanted
	EpiResidualAdapter                 // y = residual + a + scale (hidden upᵀ + upBias)
)

// Linear is a frozen linear layer with its epilogue. With a = x Wᵀ ⊙ s + bias, s being W's row scales:
//
//	x [M, K], W [N, K], bias [N], y [M, N], sums in float32 in increasing k
//
// With a Block, x is rounded to int8 first, as quant.QuantizeActivations says, and the sums over each run of columns
// that share their scales are integers, as package quant says; W's scheme has Integers. Only for devices whose Info
// says Int8.
//
// Y without an epilogue may be F16, for devices whose Info says Half: rounded as ref.Half says, with rows of whole vectors of four.
//
// The last epilogue adds AdaptMLP's up-projection on the same accumulators: hidden [M, r], up [N, r], upBias [N].
type Linear struct {
	Epilogue     Epilogue
	AdapterScale float32
	W            Weight
	Block        int // columns of x that share a scale of int8 activations; 0 for x as it is

	X, Bias, Residual, Hidden, Up, UpBias Value
	Y                                     Value
	DGELU                                 Value // [M, N], optional output of EpiGELU: the derivative at a, for LinearBackward
}

func (*Linear) Name() string { return "linear" }

func (o *Linear) Operands() []Operand {
	return reads(o.X, o.Bias, o.Residual, o.Hidden, o.Up, o.UpBias).writes(o.Y, o.DGELU)
}

func (o *Linear) half() Value {
	if o.Epilogue == EpiNone {
		return o.Y
	}
	return None
}

func (o *Linear) check(p *Program) error {
	m, k, err := matrix(p, "x", o.X)
	if err != nil {
		return err
	}
	n := o.W.Rows()
	err = firstError(
		want(p, "x", o.X, m, o.W.Cols()),
		want(p, "bias", o.Bias, n),
		want(p, "y", o.Y, m, n),
		option(k > 0, "x has no columns"),
		option(p.Info(o.Y).Type != F16 || n%4 == 0, "float16 rows of %d, expected a multiple of 4", n),
		option(o.Block >= 0, "negative block"))
	if err != nil {
		return err
	}
	if o.Epilogue == EpiResidual || o.Epilogue == EpiResidualAdapter {
		err = want(p, "residual", o.Residual, m, n)
	}
	if o.Epilogue == EpiResidualAdapter && err == nil {
		_, r, e := matrix(p, "hidden", o.Hidden)
		err = firstError(e, want(p, "hidden", o.Hidden, m, r), want(p, "up", o.Up, n, r), want(p, "up bias", o.UpBias, n))
	}
	if o.DGELU != None && err == nil {
		err = want(p, "gelu derivative", o.DGELU, m, n)
	}
	return err
}

// Int8Readers returns the block in which all layers that read v, a result of operator from, round it; 0 where they do not
// agree, or an operator wants it as it is.
func Int8Readers(p *Program, v Value, from int) (block int) {
	for _, op := range p.Ops()[from+1:] {
		if !slices.ContainsFunc(op.Operands(), func(o Operand) bool { return o.Value == v }) {
			continue
		}
		l, ok := op.(*Linear)
		if !ok || l.X != v || l.Block == 0 || block != 0 && l.Block != block || l.Residual == v || l.Hidden == v {
			return 0
		}
		block = l.Block
	}
	return block
}

// Frozen is a frozen linear layer as the model holds it: a weight and its bias.
type Frozen struct {
	W                Weight
	Bias             Buffer
	Block, GradBlock int  // of int8 activations and int8 gradients, as Linear and LinearBackward say
	Half             bool // Linear's results are F16
}

// Branch is AdaptMLP's hidden state and the up-projection that finishes it.
type Branch struct {
	Hidden, Up, UpBias Value
	Scale              float32
}

func (r *Recorder) linear(x Value, f Frozen, op Linear) Value {
	if r.err != nil {
		return None
	}
	op.X, op.W, op.Block = x, f.W, f.Block
	op.Bias = r.Param("bias", f.Bias, 0, f.Bias.Len())
	op.Y = r.temp("linear", r.dim(x, 0), f.W.Rows())
	if f.Half && r.err == nil {
		r.p.values[op.Y].Type = F16
	}
	r.record(&op)
	return op.Y
}

// Linear records y = x Wᵀ + bias, as float16 where f says so.
func (r *Recorder) Linear(x Value, f Frozen) Value { return r.linear(x, f, Linear{}) }

// LinearResidual records y = residual + x Wᵀ + bias.
func (r *Recorder) LinearResidual(x Value, f Frozen, residual Value) Value {
	return r.linear(x, f, Linear{Epilogue: EpiResidual, Residual: residual})
}

// LinearGELU records y = GELU(x Wᵀ + bias). With derivative it also returns GELU' at the sums, else None.
func (r *Recorder) LinearGELU(x Value, f Frozen, derivative bool) (y, dgelu Value) {
	if derivative && r.err == nil {
		dgelu = r.temp("gelu'", r.dim(x, 0), f.W.Rows())
	}
	y = r.linear(x, f, Linear{Epilogue: EpiGELU, DGELU: dgelu})
	return y, dgelu
}

// LinearResidualAdapter records y = residual + x Wᵀ + bias + b.Scale (b.Hidden b.Upᵀ + b.UpBias).
func (r *Recorder) LinearResidualAdapter(x Value, f Frozen, residual Value, b Branch) Value {
	return r.linear(x, f, Linear{Epilogue: EpiResidualAdapter, Residual: residual,
		Hidden: b.Hidden, Up: b.Up, UpBias: b.UpBias, AdapterScale: b.Scale})
}

// LinearBackward is the input gradient of a frozen linear layer:
//
//	dx = ((dy ⊙ s) W) ⊙ dgelu        dy [M, N], W [N, K], dx [M, K]
//
// DGELU [M, K], optional, is what the layer below stored for its GELU. W is the very weight of the forward pass. With a
// Block, dy ⊙ s is rounded to int8 in blocks of so many columns, as Linear does with x; W is of scheme q8c, since the
// scales of the int4 schemes lie along the sums of dx's other columns and cannot go into dy.
type LinearBackward struct {
	W         Weight
	Block     int
	DY, DGELU Value
	DX        Value
}

func (*LinearBackward) Name() string { return "linear_bwd_x" }

func (o *LinearBackward) Operands() []Operand { return reads(o.DY, o.DGELU).writes(o.DX) }

func (o *LinearBackward) check(p *Program) error {
	m, _, err := matrix(p, "dy", o.DY)
	if err != nil {
		return err
	}
	err = firstError(want(p, "dy", o.DY, m, o.W.Rows()), want(p, "dx", o.DX, m, o.W.Cols()), option(o.Block >= 0, "negative block"))
	if o.DGELU != None && err == nil {
		err = want(p, "gelu derivative", o.DGELU, m, o.W.Cols())
	}
	return err
}

// LinearBackward records the input gradient dx of a frozen layer; dgelu may be None.
func (r *Recorder) LinearBackward(dy Value, f Frozen, dgelu Value) Value {
	if r.err != nil {
		return None
	}
	dx := r.temp("dlinear", r.dim(dy, 0), f.W.Cols())
	r.record(&LinearBackward{W: f.W, Block: f.GradBlock, DY: dy, DGELU: dgelu, DX: dx})
	return dx
}
