package backend

// Add is y = a + b, elementwise; all of one shape. Y may be A itself.
type Add struct {
	A, B Value
	Y    Value
}

func (*Add) Name() string { return "add" }

func (o *Add) Operands() []Operand {
	if o.A == o.Y {
		return reads(o.B).updates(o.Y)
	}
	return reads(o.A, o.B).writes(o.Y)
}

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

// AddInPlace records a = a + b.
func (r *Recorder) AddInPlace(a, b Value) { r.record(&Add{A: a, B: b, Y: a}) }

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

// ScaleBy is y = s x, elementwise, with a factor that the device holds: s [1]. Y may be X itself.
type ScaleBy struct {
	S, X Value
	Y    Value
}

func (*ScaleBy) Name() string { return "scaleby" }

func (o *ScaleBy) Operands() []Operand {
	if o.X == o.Y {
		return reads(o.S).updates(o.Y)
	}
	return reads(o.S, o.X).writes(o.Y)
}

func (o *ScaleBy) check(p *Program) error {
	return firstError(want(p, "s", o.S, 1), want(p, "y", o.Y, p.Shape(o.X)...))
}

// ScaleBy records s x.
func (r *Recorder) ScaleBy(x, s Value) Value {
	y := r.temp("scaleby", r.Shape(x)...)
	r.record(&ScaleBy{S: s, X: x, Y: y})
	return y
}

// ScaleInPlace records x = s x.
func (r *Recorder) ScaleInPlace(x, s Value) { r.record(&ScaleBy{S: s, X: x, Y: x}) }
