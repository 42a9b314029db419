package backend

// SwiGLU is the gate of an MLP whose first layer gives two halves, gate first:
//
//	y = silu(a) b        [a, b] = x, x [M, 2 H], y [M, H], silu(a) = a / (1 + exp(-a))
type SwiGLU struct {
	X Value
	Y Value
}

func (*SwiGLU) Name() string { return "swiglu" }

func (o *SwiGLU) Operands() []Operand { return reads(o.X).writes(o.Y) }

func (o *SwiGLU) check(p *Program) error { return checkSwiGLU(p, o.X, o.Y) }

func checkSwiGLU(p *Program, x, y Value) error {
	m, n, err := matrix(p, "x", x)
	return firstError(err, option(n%2 == 0, "x has %d columns, expected two halves", n), want(p, "y", y, m, n/2))
}

// SwiGLU records silu(a) b of the halves of x.
func (r *Recorder) SwiGLU(x Value) Value {
	y := r.temp("swiglu", r.dim(x, 0), max(r.dim(x, 1)/2, 1))
	r.record(&SwiGLU{X: x, Y: y})
	return y
}

// SwiGLUBackward is its input gradient: dy [M, H], dx [M, 2 H].
//
//	da = dy b σ(a) (1 + a (1 - σ(a)))        db = dy silu(a)
type SwiGLUBackward struct {
	X, DY Value
	DX    Value
}

func (*SwiGLUBackward) Name() string { return "swiglu_bwd_x" }

func (o *SwiGLUBackward) Operands() []Operand { return reads(o.X, o.DY).writes(o.DX) }

func (o *SwiGLUBackward) check(p *Program) error {
	return firstError(checkSwiGLU(p, o.X, o.DY), want(p, "dx", o.DX, p.Shape(o.X)...))
}

// SwiGLUBackward records the gradient at the forward pass's x.
func (r *Recorder) SwiGLUBackward(x, dy Value) Value {
	dx := r.temp("dswiglu", r.Shape(x)...)
	r.record(&SwiGLUBackward{X: x, DY: dy, DX: dx})
	return dx
}
