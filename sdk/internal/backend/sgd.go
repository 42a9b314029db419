package backend

// SGD is one step of stochastic gradient descent with momentum over a flat array of parameters:
//
//	g' = g + WeightDecay p;  v = Momentum v + g';  p = p - lr v
//
// p, g, v of one shape; lr [1] is an input, so that a recorded step serves a whole schedule.
type SGD struct {
	Momentum, WeightDecay float32
	Grad, LR              Value
	Param, Velocity       Value
}

func (*SGD) Name() string { return "sgd" }

func (o *SGD) Operands() []Operand { return reads(o.Grad, o.LR).updates(o.Param, o.Velocity) }

func (o *SGD) check(p *Program) error {
	s := p.Shape(o.Param)
	return firstError(want(p, "gradient", o.Grad, s...), want(p, "velocity", o.Velocity, s...), want(p, "learning rate", o.LR, 1))
}

// SGD records one optimiser step over param and velocity.
func (r *Recorder) SGD(param, grad, velocity, lr Value, momentum, weightDecay float32) {
	r.record(&SGD{Momentum: momentum, WeightDecay: weightDecay, Grad: grad, LR: lr, Param: param, Velocity: velocity})
}
