package backend

import (
	"fmt"

	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
	"github.com/pkg/errors"
)

// Recorder builds a Program. Each method checks its operands' shapes, appends one operator and returns the values
// that it writes. The first error sticks: later calls record nothing and return None, and Finish returns it, so that
// the model reads like its equations. One goroutine at a time.
type Recorder struct {
	p       Program
	written []bool // by Value: has a temporary been written yet
	err     error
}

// NewRecorder starts an empty Program.
func NewRecorder() *Recorder {
	return &Recorder{p: Program{values: make([]ValueInfo, 1)}, written: make([]bool, 1)}
}

// Finish returns the Program, or the first error of the recording. The Recorder must not be used afterwards.
func (r *Recorder) Finish() (*Program, error) {
	if r.err != nil {
		return nil, r.err
	}
	return &r.p, nil
}

// Fail makes err stick, unless an earlier error did: for callers that find a fault between two operators.
func (r *Recorder) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Input declares a float32 value that the host writes before a run.
func (r *Recorder) Input(name string, shape ...int) Value {
	return r.value(ValueInfo{Name: name, Shape: shape, Kind: Input})
}

// InputInts declares an int32 value that the host writes before a run.
func (r *Recorder) InputInts(name string, shape ...int) Value {
	return r.value(ValueInfo{Name: name, Shape: shape, Kind: Input, Type: I32})
}

// Param declares a view of a resident buffer: shape.Elems() elements from offset on, offset a multiple of ParamAlign.
func (r *Recorder) Param(name string, b Buffer, offset int, shape ...int) Value {
	n := tensor.Shape(shape).Elems()
	if b == nil || offset < 0 || offset%ParamAlign != 0 || offset+n > b.Len() {
		r.Fail(errors.Errorf("parameter %s: %d elements at offset %d do not fit its buffer (offsets are multiples of %d)",
			name, n, offset, ParamAlign))
		return None
	}
	return r.value(ValueInfo{Name: name, Shape: shape, Kind: Param, Type: b.Type(), Buffer: b, Offset: offset})
}

// Output marks v as readable after a run and names it.
func (r *Recorder) Output(v Value, name string) Value {
	if r.err == nil {
		r.p.values[v].Output = true
		r.p.values[v].Name = name
	}
	return v
}

// Shape is the shape of v; nil after an error.
func (r *Recorder) Shape(v Value) tensor.Shape {
	if r.err != nil {
		return nil
	}
	return r.p.Shape(v)
}

func (r *Recorder) value(info ValueInfo) Value {
	if r.err != nil {
		return None
	}
	for _, d := range info.Shape {
		if d <= 0 {
			r.Fail(errors.WithMessagef(tensor.ErrShape, "value %s has shape %v, extents must be positive", info.Name, info.Shape))
			return None
		}
	}
	r.p.values = append(r.p.values, info)
	r.written = append(r.written, info.Kind != Temp)
	return Value(len(r.p.values) - 1)
}

// temp declares a temporary; name is the operator's word, for plans and errors.
func (r *Recorder) temp(name string, shape ...int) Value {
	return r.value(ValueInfo{Name: name, Shape: shape})
}

// dim is extent i of v's shape, 1 where the Recorder has failed or the axis is absent: the operator's check then reports it.
func (r *Recorder) dim(v Value, i int) int {
	if s := r.Shape(v); i < len(s) {
		return s[i]
	}
	return 1
}

func (r *Recorder) record(op Op) {
	if r.err != nil {
		return
	}
	for _, o := range op.Operands() {
		if o.Value <= None || int(o.Value) > r.p.Values() {
			r.Fail(errors.Errorf("%s: an operand is missing", op.Name()))
			return
		}
		if wants := elementType(op, o.Value); r.p.Info(o.Value).Type != wants && !mayBeHalf(op, r.p.Info(o.Value).Type, o.Value) {
			r.Fail(errors.Errorf("%s: %s holds %v, expected %v", op.Name(), r.p.Info(o.Value).Name, r.p.Info(o.Value).Type, wants))
			return
		}
		if o.Access&Write != 0 && r.p.Info(o.Value).Kind == Input {
			r.Fail(errors.Errorf("%s: writes the input %s", op.Name(), r.p.Info(o.Value).Name))
			return
		}
		if o.Access&Read != 0 && !r.written[o.Value] {
			r.Fail(errors.Errorf("%s: reads %s before anything wrote it", op.Name(), r.p.Info(o.Value).Name))
			return
		}
	}
	if err := op.check(&r.p); err != nil {
		r.Fail(errors.WithMessage(err, op.Name()))
		return
	}
	for _, o := range op.Operands() {
		r.written[o.Value] = true
	}
	r.p.ops = append(r.p.ops, op)
}

// elementType is what op takes v to hold: float32, save the labels and keys that it names.
func elementType(op Op, v Value) DType {
	if i, ok := op.(interface{ integers() Value }); ok && i.integers() == v {
		return I32
	}
	return F32
}

// mayBeHalf reports whether op reads v as float16 too.
func mayBeHalf(op Op, t DType, v Value) bool {
	i, ok := op.(interface{ half() Value })
	return ok && t == F16 && i.half() == v
}

// operands builds operand lists; absent values are left out.
type operands []Operand

func (l operands) add(a Access, vs ...Value) operands {
	for _, v := range vs {
		if v != None {
			l = append(l, Operand{v, a})
		}
	}
	return l
}

func reads(vs ...Value) operands                { return operands(nil).add(Read, vs...) }
func (l operands) writes(vs ...Value) operands  { return l.add(Write, vs...) }
func (l operands) updates(vs ...Value) operands { return l.add(ReadWrite, vs...) }

// want checks that v, called name in the message, has the given shape.
func want(p *Program, name string, v Value, shape ...int) error {
	if s := p.Shape(v); !s.Equal(shape) {
		return errors.WithMessagef(tensor.ErrShape, "%s is %v, expected %v", name, s, tensor.Shape(shape))
	}
	return nil
}

// firstError returns the first error of a list of checks.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// matrix returns the extents of a rank-2 value.
func matrix(p *Program, name string, v Value) (rows, cols int, err error) {
	s := p.Shape(v)
	if len(s) != 2 {
		return 0, 0, errors.WithMessagef(tensor.ErrShape, "%s is %v, expected a matrix", name, s)
	}
	return s[0], s[1], nil
}

func option(ok bool, format string, args ...any) error {
	if ok {
		return nil
	}
	return fmt.Errorf(format, args...)
}
