package simd

// native lists the sets in assembly. Advanced SIMD belongs to every arm64 processor.
func native() []*Set { return []*Set{neon()} }

func neon() *Set {
	s := portable()
	s.Name, s.MR, s.NR, s.Gemm = "neon", 8, 12, gemmNEON
	s.Add, s.Mul, s.Axpy, s.Scale, s.ScoreGrad = addNEON, mulNEON, axpyNEON, scaleNEON, scoreGradNEON
	s.Normalize, s.NormGrad = normalizeNEON, normGradNEON
	s.GemmInt8 = nil
	return s
}

// gemmNEON is Set.Gemm.
//
//go:noescape
func gemmNEON(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)

// addNEON is Set.Add.
//
//go:noescape
func addNEON(dst, src []float32)

// mulNEON is Set.Mul.
//
//go:noescape
func mulNEON(dst, src []float32)

// axpyNEON is Set.Axpy.
//
//go:noescape
func axpyNEON(dst, src []float32, alpha float32)

// scaleNEON is Set.Scale.
//
//go:noescape
func scaleNEON(dst []float32, alpha float32)

// scoreGradNEON is Set.ScoreGrad.
//
//go:noescape
func scoreGradNEON(dp, p []float32, delta, scale float32)

// normalizeNEON is Set.Normalize.
//
//go:noescape
func normalizeNEON(y, x, gamma, beta []float32, mean, rstd float32)

// normGradNEON is Set.NormGrad.
//
//go:noescape
func normGradNEON(dx, x, gamma, dy []float32, mean, rstd, u, ux float32)
