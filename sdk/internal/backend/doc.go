// Package backend is the contract between the model graph and the devices that run it.
//
// A model is written against a [Recorder]: each method records one fused operator and returns the [Value] it
// produces. The finished [Program] is a flat list of [Op]s over values; a [Backend] compiles it into an
// [Executable], which is written to, run and read from any number of times.
//
// The operators are those of an inference engine and its trainer (one linear with its epilogue, one attention),
// not those of a tensor library: speed work replaces kernels below this line and never touches the model.
// Package ref defines what each operator means.
//
// # Values
//
// Every value is float32, save the few marked I32. A value is an input (written by the host before a run), a
// parameter (a view of a resident [Buffer]) or a temporary, whose memory is planned by liveness and reused.
// A temporary that is marked as an output stays readable after the run.
package backend
