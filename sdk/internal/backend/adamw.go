package backend

// AdamW is one step of Adam with decoupled weight decay over a flat array of parameters (Loshchilov and Hutter, ICLR 2019):
//
//	m = Beta1 m + (1 - Beta1) g;  v = Beta2 v + (1 - Beta2) g²
//	p = p - lr ((m / c1) / (sqrt(v / c2) + Eps) + WeightDecay p)
//
// p, g, m, v of one shape. Rates [3] holds lr, c1 = 1 - Beta1ᵗ and c2 = 1 - Beta2ᵗ for step t, counted from 1: an input, so that
// a recorded step serves a whole schedule.
type AdamW struct {
	AdamWConfig
	Grad, Rates Value
	Param, M, V Value
}

// AdamWConfig are the constants of AdamW.
type AdamWConfig struct{ Beta1, Beta2, Eps, WeightDecay float32 }

func (*AdamW) Name() string { return "adamw" }

func (o *AdamW) Operands() []Operand { return reads(o.Grad, o.Rates).updates(o.Param, o.M, o.V) }

func (o *AdamW) check(p *Program) error {
	s := p.Shape(o.Param)
	return firstError(want(p, "gradient", o.Grad, s...), want(p, "first moment", o.M, s...), want(p, "second moment", o.V, s...),
		want(p, "rates", o.Rates, 3), option(o.Beta1 >= 0 && o.Beta1 < 1 && o.Beta2 >= 0 && o.Beta2 < 1 && o.Eps > 0,
			"betas %g and %g and eps %g, expected betas from 0 below 1 and a positive eps", o.Beta1, o.Beta2, o.Eps))
}

// AdamW records one optimiser step over param and its moments m and v.
func (r *Recorder) AdamW(param, grad, m, v, rates Value, c AdamWConfig) {
	r.record(&AdamW{AdamWConfig: c, Grad: grad, Rates: rates, Param: param, M: m, V: v})
}
