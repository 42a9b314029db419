package backend

import "time"

// Profiler is a Backend that can time what it runs.
type Profiler interface {
	// CompileTimed is Compile for a Program whose runs note the time of each kernel. Its results are Compile's bit for bit.
	CompileTimed(p *Program) (Timed, error)
}

// Timed is an Executable whose runs are timed.
type Timed interface {
	Executable
	// Spans are the kernels of the last run that went well, in order; none begins before the one in front of it has ended.
	Spans() []Span
	// Clock says what measures them.
	Clock() string
}

// Span is one run of one kernel.
type Span struct {
	Op          int    // whose it is, by its place in the Program; -1 for none, such as the copy of an input
	Kernel      string // with its variant, as "linear_q8c/TEXEL"; on the CPU the instruction set, "reference" for package ref
	Start, Took time.Duration
}
