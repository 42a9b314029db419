package quant

import "math"

// PerToken is the activation block of a whole row: one scale for all its columns.
const PerToken = math.MaxInt32

// ActivationBlock is how many columns of an activation share a scale where no normalisation has levelled the row: what
// attention and GELU write. A block is one head of 64 channels, and one outlier spoils no more than that.
const ActivationBlock = 64

// SmallestRange is the smallest magnitude that gives a block a scale: below it the factor 127/max could leave float32.
const SmallestRange = 1e-30

// ActivationRange returns the scale of a block of activations whose largest magnitude is top, and the factor that takes
// a value to its int8:
//
//	scale = top / 127        factor = 127 / top        both 0 for a block of zeros
func ActivationRange(top float32) (scale, factor float32) {
	if !(top >= SmallestRange) {
		return 0, 0
	}
	return top / MaxInt8, MaxInt8 / top
}

// ActivationBlocks is the number of scales of a row.
func ActivationBlocks(cols, block int) int { return (cols-1)/block + 1 }

// QuantizeActivations stores one row of activations as int8, symmetric and dynamic: each block of columns gets the
// scale of its own largest magnitude, and
//
//	q = roundEven(x factor)        x ≈ scale q        all in float32
//
// q has len(x) elements, scale ActivationBlocks(len(x), block). A row with a NaN gives no meaningful result.
func QuantizeActivations(q []int8, scale, x []float32, block int) {
	for b := range scale {
		from, to := b*block, min((b+1)*block, len(x))
		var top, factor float32
		for _, v := range x[from:to] {
			top = max(top, float32(math.Abs(float64(v))))
		}
		scale[b], factor = ActivationRange(top)
		for i, v := range x[from:to] {
			q[from+i] = int8(math.RoundToEven(float64(v * factor)))
		}
	}
}
