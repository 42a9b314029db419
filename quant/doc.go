// Package quant turns float weight matrices into the few forms that edgeadapt runs.
//
// # Schemes
//
// A scheme names how a frozen matrix [out, in] is stored:
//
//	f32     float32
//	f16     IEEE half precision
//	q8c     int8, symmetric, one float32 scale per output channel (row)
//	q4g     int4, symmetric, one float16 scale per row and group of 64 columns
//	q4g32   the same with groups of 32
//	q4g128  the same with groups of 128
//
// The name says it all: nothing else anywhere states a group. Where groups do not divide the columns the last is
// shorter: 96 columns in q4g are groups of 64 and 32.
//
// Group scales are float16 because their error, 2^-12 of a step, vanishes beside that of rounding to 15 levels, and
// because they are many: a float32 for each group of 64 would be a ninth of the weight's memory, a float16 is a
// seventeenth.
//
// Quantize gives each row of q8c the finest steps, QuantizePairs those with which two neighbours fit the fastest product of
// processors without an int8 dot product. Models are quantised by the latter.
//
// # int8 activations
//
// The schemes with integers can be multiplied by int8 activations; see QuantizeActivations for how these are made. A run is the columns
// that share a scale of the activations, and in q4g one of the weights as well; see Runs. The sum over a run is an
// exact integer, and one output of y = x Wᵀ is
//
//	q8c  RowScale Σ_run float(sum) xscale             runs in increasing k
//	q4g  RowScale Σ_run float(sum) (xscale gscale)
//
// The package is pure Go and imports nothing of edgeadapt.
package quant
