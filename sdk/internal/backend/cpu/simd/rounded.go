package simd

// Int8 is a product of int8 activations and weights, with the form in which it takes the activations.
type Int8 struct {
	// KGroup is how many rows of an int8 panel lie together, 4 or 8; the same for all products of a set.
	KGroup int
	// GemmInt8 computes c = a b over int8 activations and weights, with any number m of rows, NR columns and groups KGroup
	// terms. The sums of each block of KGroup block terms are exact integers; the float parts are added in order:
	//
	//	c[i cs + j] = bias[j] + columns[j] Σ_block scale[i ss + block] float(start[block NR + j] + Σ a[i as + l] b[l, j])
	//
	// a holds what Quantize writes, as bytes from row to row, b is a panel as WidenInt8 takes it without any -128, and
	// start is -Zero Σ b[l, j].
	// A row's result depends on that row alone. Nil where the set has nothing faster than Gemm.
	GemmInt8 GemmInt8
	// Quantize rounds a row as quant.QuantizeActivations does. q has RoundedBytes, which GemmInt8 reads. Blocks are whole
	// groups, but for the row's last.
	Quantize func(q []uint8, scale, x []float32, block int)
	Zero     uint8 // the activation that stands for 0
	Split    bool  // activations are magnitudes and signs
	// SumInt8 is sums += Σ b[l, j] over a panel of whole groups, and returns the largest magnitude of b[2l, j] + b[2l+1, j].
	// Nil where Zero is 0.
	SumInt8 func(sums []int32, panel []int8) (pair int32)
}

// Rows of activations, rounded to int8, lie as the set's product reads them. Most sets take the bytes themselves, Zero
// added. A Split set takes, for each block, the sum of the magnitudes of its negative elements as an int32, and then for
// each group of KGroup elements their magnitudes and their signs, 0xff for a negative one and 0 for the others.

// RoundedBytes is how many bytes Quantize writes for n elements in blocks of so many: whole groups. It is also where
// the element with index n begins, if that is a multiple of block.
func (p *Int8) RoundedBytes(n, block int) int {
	if !p.Split {
		return roundUp(n, p.KGroup)
	}
	size := n / block * (termBytes + 2*roundUp(block, p.KGroup))
	if rest := n % block; rest > 0 {
		size += termBytes + 2*roundUp(rest, p.KGroup)
	}
	return size
}

// termBytes is the size of the sum in front of a block.
const termBytes = 4

func roundUp(n, step int) int { return (n + step - 1) / step * step }

// pad fills up the last group behind n elements with activations of no value.
func pad(q []uint8, n int, zero uint8) {
	for i := n; i < len(q); i++ {
		q[i] = zero
	}
}
