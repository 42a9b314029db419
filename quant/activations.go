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

// Runs calls do for each run of columns from 0 to cols that shares an activation scale, one for each block columns, and
// a weight scale, one for each group columns (0: one for all), in increasing order.
func Runs(cols, block, group int, do func(from, to int)) {
	if group == 0 {
		group = cols
	}
	for from := 0; from < cols; {
		to := min((from/block+1)*block, (from/group+1)*group, cols)
		do(from, to)
		from = to
	}
}

// DotInt8 is one output of a layer of int8 activations before its bias, in float32 with no multiply-add fused: what the
// package comment says, as a plain loop for tests to hold kernels to. q has Cols elements, scale one for each block. m's
// scheme has Integers.
func (m Matrix) DotInt8(row int, q []int8, scale []float32, block int) float32 {
	w, group, groups := m.integers(row)
	var y float32
	Runs(m.Cols, block, m.Scheme.Group(), func(from, to int) {
		var sum int32
		for i, v := range q[from:to] {
			sum += int32(v) * int32(w[from+i])
		}
		s := scale[from/block]
		if groups != nil {
			s *= groups[from/group]
		}
		y += float32(float32(sum) * s)
	})
	return y * m.RowScale(row)
}

// integers is a row as int8, and its groups and their scales if it has any.
func (m Matrix) integers(row int) (q []int8, group int, groups []float32) {
	if m.Scheme == Q8C {
		return m.Int8[row*m.Cols : (row+1)*m.Cols], 0, nil
	}
	q, groups = make([]int8, m.Cols), make([]float32, m.Groups())
	m.Int4Row(q, row)
	m.GroupScales(groups, row)
	return q, m.Scheme.Group(), groups
}
