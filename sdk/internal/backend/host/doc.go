// Package host runs Programs on Go slices, with package ref's arithmetic for every operator.
//
// Two devices come of it: the reference, float64 throughout ([NewReference]), against which every other device is
// held, and the frame of the CPU backend, float32 with faster kernels put in front ([Options.Kernel]).
package host
