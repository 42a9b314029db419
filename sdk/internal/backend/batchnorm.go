package backend

// BatchNorm normalises each feature, without affine parameters:
//
//	y = (x - mean) / sqrt(var + eps)       x, y [B, F]; mean, var, rstd [F]
//
// In training (Train) mean and var are the batch's, the variance biased; RunningMean and RunningVar move towards them
// by Momentum, the latter by the unbiased variance (the biased one where B is 1), and Rstd [F] is stored for the
// gradient. Otherwise the running values are used as they are and Rstd is None.
type BatchNorm struct {
	Train                   bool
	Eps, Momentum           float32
	X                       Value
	RunningMean, RunningVar Value
	Y, Rstd                 Value
}

func (o *BatchNorm) Name() string { return "batchnorm" }

func (o *BatchNorm) Operands() []Operand {
	if o.Train {
		return reads(o.X).updates(o.RunningMean, o.RunningVar).writes(o.Y, o.Rstd)
	}
	return reads(o.X, o.RunningMean, o.RunningVar).writes(o.Y)
}

func (o *BatchNorm) check(p *Program) error {
	b, f, err := matrix(p, "x", o.X)
	err = firstError(err, want(p, "running mean", o.RunningMean, f), want(p, "running variance", o.RunningVar, f),
		want(p, "y", o.Y, b, f), option(o.Eps > 0, "eps is %g, expected a positive number", o.Eps))
	if o.Train && err == nil {
		err = want(p, "rstd", o.Rstd, f)
	}
	return err
}

// BatchStats is the state of a BatchNorm: views of a resident buffer.
type BatchStats struct {
	Mean, Var     Value
	Eps, Momentum float32
}

// BatchNorm records y from the running statistics.
func (r *Recorder) BatchNorm(x Value, s BatchStats) Value {
	y := r.temp("batchnorm", r.Shape(x)...)
	r.record(&BatchNorm{Eps: s.Eps, X: x, RunningMean: s.Mean, RunningVar: s.Var, Y: y})
	return y
}

// BatchNormTrain records y from the batch's statistics, moves the running ones, and returns rstd for the gradient.
func (r *Recorder) BatchNormTrain(x Value, s BatchStats) (y, rstd Value) {
	y, rstd = r.temp("batchnorm", r.Shape(x)...), r.temp("rstd", r.dim(x, 1))
	r.record(&BatchNorm{Train: true, Eps: s.Eps, Momentum: s.Momentum, X: x, RunningMean: s.Mean, RunningVar: s.Var, Y: y, Rstd: rstd})
	return y, rstd
}

// BatchNormBackward is the input gradient in training, per feature over the batch:
//
//	dx = rstd (dy - mean(dy) - y mean(dy y))       y, dy, dx [B, F]; rstd [F]
type BatchNormBackward struct {
	Y, Rstd, DY Value
	DX          Value
}

func (*BatchNormBackward) Name() string { return "batchnorm_bwd_x" }

func (o *BatchNormBackward) Operands() []Operand { return reads(o.Y, o.Rstd, o.DY).writes(o.DX) }

func (o *BatchNormBackward) check(p *Program) error {
	b, f, err := matrix(p, "y", o.Y)
	return firstError(err, want(p, "rstd", o.Rstd, f), want(p, "dy", o.DY, b, f), want(p, "dx", o.DX, b, f))
}

// BatchNormBackward records dx.
func (r *Recorder) BatchNormBackward(y, rstd, dy Value) Value {
	dx := r.temp("dbatchnorm", r.Shape(y)...)
	r.record(&BatchNormBackward{Y: y, Rstd: rstd, DY: dy, DX: dx})
	return dx
}
