// Package ref defines what each operator means: plain loops, no tricks. Read it first.
//
// One file per operator word, forward and backward together. Values are loaded and stored as T; all arithmetic and
// every sum is float64 and runs in increasing index order. A fused operator is the composition of its simple steps,
// with nothing rounded in between. Matrices are row-major; extents are arguments and never checked here: callers
// check shapes where they record an operator.
//
// Nothing here keeps state: every function is safe for concurrent use on slices that nobody else writes.
package ref

// Float is a storage type. The arithmetic is float64 for either.
type Float interface{ ~float32 | ~float64 }

// Weight is a frozen matrix that gives its rows as float32; quant.Matrix is one. The float32 values are the weight:
// int8 times scale is rounded to float32 once, as PyTorch does, also where the arithmetic after it is float64.
type Weight interface {
	DequantizeRow(dst []float32, row int)
}

// dot is the inner product of two rows.
func dot[A, B Float](a []A, b []B) float64 {
	b = b[:len(a)]
	var s float64
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

// addScaled is dst += c x.
func addScaled[T Float](dst []float64, c float64, x []T) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += c * float64(x[i])
	}
}

// row is row i of a matrix with n columns.
func row[T any](x []T, i, n int) []T { return x[i*n : (i+1)*n] }

// at is x[i], or 0 where the optional operand x is absent.
func at[T Float](x []T, i int) float64 {
	if x == nil {
		return 0
	}
	return float64(x[i])
}

func store[T Float](dst []T, src []float64) {
	for i, v := range src {
		dst[i] = T(v)
	}
}
