// Package cpu runs Programs on the processor's vector units: float32 activations, frozen weights in f32, f16, q8c or int4.
//
// Nearly all time goes to matrix products, so there is one of them ([gemm]): B comes in panels of a few columns, which
// frozen weights are packed into once and widened from inside the product; A is read where it lies. Everything else is
// an epilogue of a product or a loop over rows, in the kernels of package simd. Operators that cost nothing stay with
// package ref.
//
// Each element is summed by one thread in increasing order of its index. Results therefore do not depend on the number
// of threads or on the batch an image is in; only the instruction set may change their last bits.
package cpu
