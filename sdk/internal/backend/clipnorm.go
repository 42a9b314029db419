package backend

// ClipNorm bounds the Euclidean norm |x| of all elements of X together, in place:
//
//	x = x Max / |x|  where |x| > Max
//
// Max is positive. A norm that is no number leaves X as it is: the loss of the next step shows it.
type ClipNorm struct {
	Max float32
	X   Value
}

func (*ClipNorm) Name() string { return "clipnorm" }

func (o *ClipNorm) Operands() []Operand { return operands(nil).updates(o.X) }

func (o *ClipNorm) check(*Program) error {
	return option(o.Max > 0, "norm %g, expected a positive one", o.Max)
}

// ClipNorm records a bound of max on x's norm.
func (r *Recorder) ClipNorm(x Value, max float32) {
	r.record(&ClipNorm{Max: max, X: x})
}
