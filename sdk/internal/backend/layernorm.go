package backend

// LayerNorm normalises each row:
//
//	y = (x - mean) rstd ⊙ gamma + beta,  rstd = 1/sqrt(var + eps), biased variance in two passes
//
// x, y [M, D]; gamma, beta [D]; mean, rstd [M].
type LayerNorm struct {
	Eps            float32
	X, Gamma, Beta Value
	Y, Mean, Rstd  Value
}

func (*LayerNorm) Name() string { return "layernorm" }

func (o *LayerNorm) Operands() []Operand {
	return reads(o.X, o.Gamma, o.Beta).writes(o.Y, o.Mean, o.Rstd)
}

func (o *LayerNorm) check(p *Program) error {
	m, d, err := matrix(p, "x", o.X)
	return firstError(err,
		want(p, "gamma", o.Gamma, d), want(p, "beta", o.Beta, d), want(p, "y", o.Y, m, d),
		want(p, "mean", o.Mean, m), want(p, "rstd", o.Rstd, m),
		option(o.Eps > 0, "eps is %g, expected a positive number", o.Eps))
}

// Norm is a LayerNorm's parameters as the model holds them.
type Norm struct {
	Gamma, Beta Buffer
	Eps         float32
}

// NormStats are the row statistics that a LayerNorm leaves for its gradient.
type NormStats struct{ Mean, Rstd Value }

// TrainedNorm is a LayerNorm's parameters as values of a Program: those of a task are views of its flat buffer.
type TrainedNorm struct {
	Gamma, Beta Value
	Eps         float32
}

// values are n's parameters as values of r's Program.
func (n Norm) values(r *Recorder) TrainedNorm {
	if r.err != nil {
		return TrainedNorm{}
	}
	return TrainedNorm{r.Param("gamma", n.Gamma, 0, n.Gamma.Len()), r.Param("beta", n.Beta, 0, n.Beta.Len()), n.Eps}
}

// LayerNorm records y = LayerNorm(x).
func (r *Recorder) LayerNorm(x Value, n Norm) (Value, NormStats) {
	return r.LayerNormTrained(x, n.values(r))
}

// LayerNormTrained records y = LayerNorm(x) with trained parameters.
func (r *Recorder) LayerNormTrained(x Value, n TrainedNorm) (Value, NormStats) {
	if r.err != nil {
		return None, NormStats{}
	}
	m, d := r.dim(x, 0), r.dim(x, 1)
	op := &LayerNorm{Eps: n.Eps, X: x, Gamma: n.Gamma, Beta: n.Beta,
		Y: r.temp("layernorm", m, d), Mean: r.temp("mean", m), Rstd: r.temp("rstd", m)}
	r.record(op)
	return op.Y, NormStats{op.Mean, op.Rstd}
}

// LayerNormBackward is the input gradient of a LayerNorm. With u = gamma ⊙ dy and xh = (x - mean) rstd:
//
//	dx = base + rstd (u - mean(u) - xh mean(u xh))
//
// Base [M, D], optional, is the gradient that reaches x by the residual path. DX may be Base itself.
type LayerNormBackward struct {
	X, Gamma, Mean, Rstd, DY, Base Value
	DX                             Value
}

func (*LayerNormBackward) Name() string { return "layernorm_bwd_x" }

func (o *LayerNormBackward) Operands() []Operand {
	if o.Base == o.DX {
		return reads(o.X, o.Gamma, o.Mean, o.Rstd, o.DY).updates(o.DX)
	}
	return reads(o.X, o.Gamma, o.Mean, o.Rstd, o.DY, o.Base).writes(o.DX)
}

func (o *LayerNormBackward) check(p *Program) error {
	m, d, err := matrix(p, "x", o.X)
	err = firstError(err,
		want(p, "gamma", o.Gamma, d), want(p, "mean", o.Mean, m), want(p, "rstd", o.Rstd, m),
		want(p, "dy", o.DY, m, d), want(p, "dx", o.DX, m, d))
	if o.Base != None && err == nil {
		err = want(p, "base", o.Base, m, d)
	}
	return err
}

// LayerNormBackward records dx of a LayerNorm over x, added in place to base where there is one.
func (r *Recorder) LayerNormBackward(x Value, n Norm, s NormStats, dy, base Value) Value {
	return r.LayerNormTrainedBackward(x, n.values(r), s, dy, base)
}

// LayerNormTrainedBackward records the same with trained parameters.
func (r *Recorder) LayerNormTrainedBackward(x Value, n TrainedNorm, s NormStats, dy, base Value) Value {
	if r.err != nil {
		return None
	}
	dx := base
	if dx == None {
		dx = r.temp("dlayernorm", r.Shape(x)...)
	}
	r.record(&LayerNormBackward{X: x, Gamma: n.Gamma, Mean: s.Mean, Rstd: s.Rstd, DY: dy, Base: base, DX: dx})
	return dx
}

// GainGrad is the gradient of a trained LayerNorm's gain; that of its bias is BiasGrad's:
//
//	dgamma = column sums of dy ⊙ (x - mean) rstd        x, dy [M, D]; mean, rstd [M]; dgamma [D]
//
// The sum over M runs in one fixed order whatever the number of workers.
type GainGrad struct {
	X, Mean, Rstd, DY Value
	DGamma            Value
}

func (*GainGrad) Name() string { return "gaingrad" }

func (o *GainGrad) Operands() []Operand { return reads(o.X, o.Mean, o.Rstd, o.DY).writes(o.DGamma) }

func (o *GainGrad) check(p *Program) error {
	m, d, err := matrix(p, "x", o.X)
	return firstError(err, want(p, "mean", o.Mean, m), want(p, "rstd", o.Rstd, m), want(p, "dy", o.DY, m, d), want(p, "dgamma", o.DGamma, d))
}

// LayerNormGrad records the gradients of a trained LayerNorm over x into dgamma and dbeta, parameters.
func (r *Recorder) LayerNormGrad(x Value, s NormStats, dy, dgamma, dbeta Value) {
	r.record(&GainGrad{X: x, Mean: s.Mean, Rstd: s.Rstd, DY: dy, DGamma: dgamma})
	r.BiasGrad(dy, dbeta, 1)
}
