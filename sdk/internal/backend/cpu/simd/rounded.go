package simd

// Rows of activations, rounded to int8, lie as the set's product reads them. Most sets take the bytes themselves, Zero
// added. A Split set takes, for each block, the sum of the magnitudes of its negative elements as an int32, and then for
// each group of KGroup elements their magnitudes and their signs, 0xff for a negative one and 0 for the others.

// RoundedBytes is how many bytes Quantize writes for n elements in blocks of so many: whole groups. It is also where
// the element with index n begins, if that is a multiple of block.
func (s *Set) RoundedBytes(n, block int) int {
	if !s.Split {
		return roundUp(n, s.KGroup)
	}
	size := n / block * (termBytes + 2*roundUp(block, s.KGroup))
	if rest := n % block; rest > 0 {
		size += termBytes + 2*roundUp(rest, s.KGroup)
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
