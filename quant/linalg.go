package quant

import (
	"fmt"
	"math"
)

// cholesky replaces a [k, k], symmetric and positive, by the upper triangular R with a = R Rᵀ. It begins with the last
// row. It returns ErrInputs for a matrix that is not positive.
func cholesky(a []float64, k int) error {
	for j := k - 1; j >= 0; j-- {
		row := a[j*k+j+1 : (j+1)*k]
		d := a[j*k+j] - dot(row, row)
		if !(d > 0) || math.IsInf(d, 1) {
			return fmt.Errorf("the Gram matrix's pivot %d is %v: %w", j, d, ErrInputs)
		}
		d = math.Sqrt(d)
		a[j*k+j] = d
		for i := range j {
			a[i*k+j] = (a[i*k+j] - dot(a[i*k+j+1:(i+1)*k], row)) / d
		}
	}
	return nil
}

// solve replaces b by the x of R Rᵀ x = b.
func solve(r, b []float64, k int) {
	for i := k - 1; i >= 0; i-- {
		b[i] = (b[i] - dot(r[i*k+i+1:(i+1)*k], b[i+1:])) / r[i*k+i]
	}
	for i := range k {
		b[i] /= r[i*k+i]
		axpy(b[i+1:], -b[i], r[i*k+i+1:(i+1)*k])
	}
}

type float interface{ ~float32 | ~float64 }

// dot is a bᵀ in four chains.
func dot[T float](a, b []T) T {
	b = b[:len(a)]
	var s0, s1, s2, s3 T
	for len(a) >= 4 {
		x, y := a[:4], b[:4]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += v * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// axpy is dst += c x.
func axpy[T float](dst []T, c T, x []T) {
	x = x[:len(dst)]
	for len(dst) >= 4 {
		d, v := dst[:4], x[:4]
		d[0] += c * v[0]
		d[1] += c * v[1]
		d[2] += c * v[2]
		d[3] += c * v[3]
		dst, x = dst[4:], x[4:]
	}
	for i, v := range x {
		dst[i] += c * v
	}
}

// product is dst = x a for a [len(x), len(dst)], four rows at a time.
func product(dst, x, a []float32) {
	n := len(dst)
	clear(dst)
	for len(x) >= 4 {
		c0, c1, c2, c3 := x[0], x[1], x[2], x[3]
		a0, a1, a2, a3 := a[:n], a[n:2*n], a[2*n:3*n], a[3*n:4*n]
		for i := range dst {
			dst[i] += (c0*a0[i] + c1*a1[i]) + (c2*a2[i] + c3*a3[i])
		}
		x, a = x[4:], a[4*n:]
	}
	for i, c := range x {
		axpy(dst, c, a[i*n:(i+1)*n])
	}
}
