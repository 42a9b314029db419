package cpu

import "github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd"

// rowsOf is the float32 matrix x [k, n], n elements from row to row, as a right-hand side.
type rowsOf struct {
	set *simd.Set
	x   []float32
	n   int
}

func (r rowsOf) panel(_ *worker, dst []float32, p, k0, k int) []float32 {
	packRows(r.set, dst, r.x[k0*r.n+p*r.set.NR:], r.n, k, min(r.set.NR, r.n-p*r.set.NR))
	return dst
}

// packRows copies n <= NR columns of k rows, ld apart, into a panel.
func packRows(set *simd.Set, dst, src []float32, ld, k, n int) {
	nr := set.NR
	for l := range k {
		row := dst[l*nr : (l+1)*nr]
		copy(row, src[l*ld:l*ld+n])
		clear(row[n:])
	}
}

// transposed is the transpose of the float32 matrix x [n, k] times alpha as a right-hand side: B[l, j] = alpha x[j, l].
type transposed struct {
	set   *simd.Set
	x     []float32
	n, k  int
	alpha float32
}

func (t transposed) panel(_ *worker, dst []float32, p, k0, k int) []float32 {
	packColumns(t.set, dst, t.x[p*t.set.NR*t.k+k0:], t.k, k, min(t.set.NR, t.n-p*t.set.NR))
	if t.alpha != 1 {
		t.set.Scale(dst, t.alpha)
	}
	return dst
}

// packColumns makes a panel of n <= NR rows of src, ld apart, and k columns: the rows become the panel's columns.
func packColumns(set *simd.Set, dst, src []float32, ld, k, n int) {
	if n < set.NR {
		clear(dst)
	}
	set.Transpose(dst, set.NR, src, ld, n, k)
}
