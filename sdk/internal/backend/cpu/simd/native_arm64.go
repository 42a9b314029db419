package simd

// native lists the sets in assembly. Advanced SIMD belongs to every arm64 processor.
func native() []*Set { return []*Set{neon()} }

// neon has the GEMM in assembly; the rest is portable.
func neon() *Set {
	s := portable()
	s.Name, s.MR, s.NR, s.Gemm = "neon", 8, 12, gemmNEON
	s.GemmInt8 = nil
	return s
}

// gemmNEON is Set.Gemm.
//
//go:noescape
func gemmNEON(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)
