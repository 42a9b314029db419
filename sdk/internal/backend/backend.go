package backend

import (
	"context"
	"errors"

	"github.com/edgeadapt/edgeadapt/quant"
)

var (
	// ErrClosed says that the object was closed before the call.
	ErrClosed = errors.New("closed")
	// ErrNoDevice says that no device of the wanted kind can be opened.
	ErrNoDevice = errors.New("no such device")
	// ErrDeviceLost says that the device stopped answering; its memory is gone.
	ErrDeviceLost = errors.New("device lost")
	// ErrFaulty says that the device gets kernels wrong that nothing can replace.
	ErrFaulty = errors.New("device fails its self-test")
	// ErrOutOfMemory says that the device or its budget has no room for the object.
	ErrOutOfMemory = errors.New("out of device memory")
)

// Backend is one device that runs Programs. Safe for concurrent use; the device itself runs one Executable at a time.
type Backend interface {
	Info() Info
	// NewBuffer makes n zeroed float32 elements that outlive Programs.
	NewBuffer(name string, n int) (Buffer, error)
	// NewHalfBuffer makes n zeroed float16 elements: Write rounds to the nearest, ties to even. Only operators that say so read them.
	NewHalfBuffer(name string, n int) (Buffer, error)
	// NewWeight makes a frozen matrix resident, in whatever packing the backend's kernels read. It keeps no
	// reference to m's slices.
	NewWeight(name string, m quant.Matrix) (Weight, error)
	// Compile prepares p. The Executable refers to p's buffers and weights, which must outlive it.
	Compile(p *Program) (Executable, error)
	// MemoryInUse is the number of bytes that buffers, weights and executables hold now.
	MemoryInUse() int64
	// Close frees the device. Everything made from it must be closed before. Idempotent.
	Close() error
}

// Info describes a device to people and to caches.
type Info struct {
	ID     string // as --device names it: "cpu", "ref", "vulkan:0"
	Name   string // the processor's or GPU's own name
	Kind   string // "cpu", "integrated", "discrete", "software", "virtual", "reference"
	UUID   string // empty where the device has none
	Driver string // driver or instruction set, with its version
	Memory int64  // bytes of device memory, 0 if unknown
	Int8   bool   // whether Linear takes int8 activations
	Half   bool   // whether Linear's results may be float16
}

// Buffer is resident float memory: adapter parameters, optimiser state, small float weights.
// Reads and writes wait for runs under way. Safe for concurrent use.
type Buffer interface {
	Len() int
	Type() DType // F32 or F16
	// Write copies src to the elements from offset on.
	Write(offset int, src []float32) error
	// Read copies len(dst) elements from offset on.
	Read(offset int, dst []float32) error
	Close() error
}

// Weight is a resident frozen matrix [Rows, Cols] with its row scales.
type Weight interface {
	Rows() int
	Cols() int
	Close() error
}

// Executable is a compiled Program with its own memory for inputs and temporaries.
// One goroutine at a time; two Executables of one Backend may be used by two goroutines.
type Executable interface {
	// WriteFloats fills an F32 input; src has exactly the value's elements.
	WriteFloats(v Value, src []float32) error
	// WriteInts fills an I32 input.
	WriteInts(v Value, src []int32) error
	// Run executes the Program once. ctx is checked between submissions; a cancelled run leaves temporaries undefined
	// and parameters as the finished operators left them.
	Run(ctx context.Context) error
	// ReadFloats copies an output of the last Run.
	ReadFloats(v Value, dst []float32) error
	// Bytes is the device memory that the Executable holds for itself.
	Bytes() int64
	Close() error
}
