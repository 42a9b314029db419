// Package plugin runs the WebAssembly module that an adapter may carry: its own pre-processing (a picture in, another
// picture or a part of it out) and post-processing (labels with scores in, JSON out).
//
// A module is not trusted. It sees its linear memory and nothing else: no files, arguments, environment or network, and
// a clock and random numbers that are the same in every call. Each call runs in an instance of its own, so that a result
// depends on the call's input alone. Memory, time, calls at once and the module's own structure are bounded; whatever
// breaks a bound, traps or answers with nonsense ends that call with [ErrPlugin], and the next call works.
//
// The ABI is in FORMATS.md, and in code in abi.go.
package plugin

import "errors"

// Errors that callers may test for.
var (
	ErrPlugin = errors.New("plug-in failed")    // a module that cannot be used, or a call of it that did not end well
	ErrClosed = errors.New("plug-in is closed") // a call after Close
)
