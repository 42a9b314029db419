package backend

// Add is y = a + b, elementwise; all of one shape.
type Add struct {
	A, B Value
	Y    Value
}

func (*Add) Name() string { return "add" }

func (o *Add) Operands() []Operand { return reads(o.A, o.B).writes(o.Y) }

func (o *Add) check(p *Program) error {
	s := p.Shape(o.A)
	return firstError(want(p, "b", o.B, s...), want(p, "y", o.Y, s...))
}

// Add records a + b.
func (r *Recorder) Add(a, b Value) Value {
	y := r.temp("add", r.Shape(a)...)
	r.record(&Add{A: a, B: b, Y: y})
	return y
}

// Scale is y = Factor x, elementwise.
type Scale struct {
	Factor float32
	X      Value
	Y      Value
}

func (*Scale) Name() string { return "scale" }

func (o *Scale) Operands() []Operand { return reads(o.X).writes(o.Y) }

func (o *Scale) check(p *Program) error { return want(p, "y", o.Y, p.Shape(o.X)...) }

// Scale records factor x.
func (r *Recorder) Scale(x Value, factor float32) Value {
	y := r.temp("scale", r.Shape(x)...)
	r.record(&Scale{Factor: factor, X: x, Y: y})
	return y
}
