package backend

import (
	"github.com/edgeadapt/edgeadapt/sdk/internal/tensor"
)

// Value names a tensor of one Program. The zero Value means "none" where an operand is optional.
type Value int32

// None is the absent operand.
const None Value = 0

// DType is a value's element type.
type DType uint8

// Every value is F32 save labels and random keys, and what may be F16: the arena of a mixed batch, and what attention reads.
const (
	F32 DType = iota
	I32
	F16
)

func (t DType) String() string { return [...]string{"float32", "int32", "float16"}[t] }

// Size is the number of bytes of an element.
func (t DType) Size() int {
	if t == F16 {
		return 2
	}
	return 4
}

// Kind says who owns a value's memory.
type Kind uint8

const (
	Temp  Kind = iota // planned inside the Program; undefined before the first write of a run
	Input             // written by the host before Run; keeps its contents between runs
	Param             // a view of a resident Buffer; the Program may write it
)

// ParamAlign is the granularity, in elements, of the offset at which a Param may start in its Buffer:
// 256 bytes, the largest storage-buffer alignment that Vulkan allows a device to ask for.
const ParamAlign = 64

// ValueInfo is what a Program knows of a value.
type ValueInfo struct {
	Name   string // for errors, plans and taps; need not be unique
	Shape  tensor.Shape
	Type   DType
	Kind   Kind
	Output bool   // stays readable after a run
	Buffer Buffer // Param: where it lives
	Offset int    // Param: first element in Buffer, a multiple of ParamAlign
}

// Access says what an operator does with an operand.
type Access uint8

// An operand that is updated in place is ReadWrite.
const (
	Read      Access = 1
	Write     Access = 2
	ReadWrite        = Read | Write
)

// Operand is one value that an operator touches.
type Operand struct {
	Value  Value
	Access Access
}

// Op is one operator of the vocabulary: a pointer to one of the structs in this package.
// A backend switches on the concrete type.
type Op interface {
	// Name is the operator's one word: it leads to the shader, the dispatch, the reference and the test.
	Name() string
	// Operands lists the values touched, in the order of the struct's fields, without absent ones.
	Operands() []Operand
	// check verifies shapes and options; p knows every operand.
	check(p *Program) error
}

// Program is a recorded sequence of operators. Immutable once the Recorder has finished it.
type Program struct {
	values []ValueInfo // values[0] is the unused None
	ops    []Op
}

// Ops are the operators in order of execution. The slice must not be changed.
func (p *Program) Ops() []Op { return p.ops }

// Values is the number of values; valid Values are 1 to Values().
func (p *Program) Values() int { return len(p.values) - 1 }

// Info describes v, which must be a value of p.
func (p *Program) Info(v Value) *ValueInfo { return &p.values[v] }

// Shape is the shape of v; nil for None.
func (p *Program) Shape(v Value) tensor.Shape { return p.values[v].Shape }
