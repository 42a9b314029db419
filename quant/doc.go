// Package quant turns float weight matrices into the few forms that edgeadapt runs.
//
// # Schemes
//
// A scheme names how a frozen matrix [out, in] is stored:
//
//	f32  float32
//	f16  IEEE half precision
//	q8c  int8, symmetric, one float32 scale per output channel (row)
//
// The grammar leaves room for q4g (int4 symmetric per group) and the suffix a8 (int8 activations).
// The package is pure Go and imports nothing of edgeadapt.
package quant
