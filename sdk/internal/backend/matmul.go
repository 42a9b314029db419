package backend

// Affine is a trainable linear layer in float32: y = x wᵀ + bias; x [M, K], w [N, K], bias [N], y [M, N].
type Affine struct {
	X, W, Bias Value
	Y          Value
}

func (*Affine) Name() string { return "affine" }

func (o *Affine) Operands() []Operand { return reads(o.X, o.W, o.Bias).writes(o.Y) }

func (o *Affine) check(p *Program) error {
	m, k, err := matrix(p, "x", o.X)
	if err != nil {
		return err
	}
	n, _, err := matrix(p, "w", o.W)
	return firstError(err, want(p, "w", o.W, n, k), want(p, "bias", o.Bias, n), want(p, "y", o.Y, m, n))
}

// Affine records y = x wᵀ + bias.
func (r *Recorder) Affine(x, w, bias Value) Value {
	y := r.temp("affine", r.dim(x, 0), r.dim(w, 0))
	r.record(&Affine{X: x, W: w, Bias: bias, Y: y})
	return y
}

// MatMul is c = base + a b; a [M, N], b [N, K], c [M, K]. Base [M, K] is optional and may be C itself.
// As the input gradient of a trainable layer, a is dy and b the layer's weight.
type MatMul struct {
	A, B, Base Value
	C          Value
}

func (*MatMul) Name() string { return "matmul" }

func (o *MatMul) Operands() []Operand {
	if o.Base == o.C {
		return reads(o.A, o.B).updates(o.C)
	}
	return reads(o.A, o.B, o.Base).writes(o.C)
}

func (o *MatMul) check(p *Program) error {
	m, n, err := matrix(p, "a", o.A)
	if err != nil {
		return err
	}
	_, k, err := matrix(p, "b", o.B)
	err = firstError(err, want(p, "b", o.B, n, k), want(p, "c", o.C, m, k))
	if o.Base != None && err == nil {
		err = want(p, "base", o.Base, m, k)
	}
	return err
}

// MatMul records a b, added in place to base where there is one.
func (r *Recorder) MatMul(a, b, base Value) Value {
	c := base
	if c == None {
		c = r.temp("matmul", r.dim(a, 0), r.dim(b, 1))
	}
	r.record(&MatMul{A: a, B: b, Base: base, C: c})
	return c
}

// WeightGrad is the gradient of a trainable layer's weight: dw = Scale dyᵀ x; dy [M, N], x [M, K], dw [N, K].
// The sum over M runs in one fixed order whatever the number of workers.
type WeightGrad struct {
	Scale float32
	DY, X Value
	DW    Value
}

func (*WeightGrad) Name() string { return "weightgrad" }

func (o *WeightGrad) Operands() []Operand { return reads(o.DY, o.X).writes(o.DW) }

func (o *WeightGrad) check(p *Program) error {
	m, n, err := matrix(p, "dy", o.DY)
	if err != nil {
		return err
	}
	_, k, err := matrix(p, "x", o.X)
	return firstError(err, want(p, "x", o.X, m, k), want(p, "dw", o.DW, n, k))
}

// WeightGrad records dw = scale dyᵀ x into dw, a parameter.
func (r *Recorder) WeightGrad(dy, x, dw Value, scale float32) {
	r.record(&WeightGrad{Scale: scale, DY: dy, X: x, DW: dw})
}

// BiasGrad is db = Scale · column sums of dy; dy [M, N], db [N]. Fixed order, as WeightGrad.
type BiasGrad struct {
	Scale float32
	DY    Value
	DB    Value
}

func (*BiasGrad) Name() string { return "biasgrad" }

func (o *BiasGrad) Operands() []Operand { return reads(o.DY).writes(o.DB) }

func (o *BiasGrad) check(p *Program) error {
	_, n, err := matrix(p, "dy", o.DY)
	return firstError(err, want(p, "db", o.DB, n))
}

// BiasGrad records db = scale · column sums of dy into db, a parameter.
func (r *Recorder) BiasGrad(dy, db Value, scale float32) {
	r.record(&BiasGrad{Scale: scale, DY: dy, DB: db})
}
