package ref

import "github.com/edgeadapt/edgeadapt/quant"

// RoundActivations is what x [m, k] becomes when its rows are stored as int8 with a scale for each block of columns; x
// itself for a block of 0. The rounding to int8 is that of float32, whatever T is: it is part of the definition.
func RoundActivations[T Float](x []T, m, k, block int) []T {
	if block == 0 {
		return x
	}
	out := make([]T, len(x))
	narrow, q, scale := make([]float32, k), make([]int8, k), make([]float32, quant.ActivationBlocks(k, block))
	for i := range m {
		for c, v := range row(x, i, k) {
			narrow[c] = float32(v)
		}
		quant.QuantizeActivations(q, scale, narrow, block)
		for c, v := range q {
			out[i*k+c] = T(float64(v) * float64(scale[c/block]))
		}
	}
	return out
}
