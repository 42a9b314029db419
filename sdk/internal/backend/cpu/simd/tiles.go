package simd

// Gemm is the type of Set.Gemm.
type Gemm func(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)

// GemmInt8 is the type of Set.GemmInt8.
type GemmInt8 func(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)

// inTiles is Gemm by a kernel that takes mr rows at most.
func inTiles(mr int, kernel Gemm) Gemm {
	return func(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool) {
		for ; m > mr; m -= mr {
			kernel(mr, k, a, ars, aks, b, bs, c, cs, accumulate)
			a, c = a[mr*ars:], c[mr*cs:]
		}
		kernel(m, k, a, ars, aks, b, bs, c, cs, accumulate)
	}
}

// int8InTiles is GemmInt8 by a kernel that takes mr rows at most.
func int8InTiles(mr int, kernel GemmInt8) GemmInt8 {
	return func(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int) {
		for ; m > mr; m -= mr {
			kernel(mr, groups, block, a, as, scale, ss, b, start, columns, bias, c, cs)
			a, scale, c = a[mr*as:], scale[mr*ss:], c[mr*cs:]
		}
		kernel(m, groups, block, a, as, scale, ss, b, start, columns, bias, c, cs)
	}
}
