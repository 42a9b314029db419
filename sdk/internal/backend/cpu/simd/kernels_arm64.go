package simd

import (
	"math"

	"github.com/edgeadapt/edgeadapt/sdk/internal/backend/cpu/simd/internal/approx"
)

// functionTable holds the constants of functions_arm64.s in its order, each in four lanes.
var functionTable = tabulate()

func tabulate() (table [26][4]float32) {
	exp, tail := approx.ExpCoefficients, approx.TailCoefficients
	values := []float32{approx.Log2E, approx.Ln2High, approx.Ln2Low, approx.ExpMin, exp[len(exp)-1], approx.TailMin,
		approx.TailScale, -0.5, 1, tail[len(tail)-1], float32(1 / math.Sqrt(2*math.Pi))}
	for i := len(exp) - 2; i >= 0; i-- {
		values = append(values, exp[i])
	}
	for i := len(tail) - 2; i >= 0; i-- {
		values = append(values, tail[i])
	}
	for i, v := range values {
		table[i] = [4]float32{v, v, v, v}
	}
	return table
}

// gemmNEON is Set.Gemm.
//
//go:noescape
func gemmNEON(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)

// widenInt8NEON is Set.WidenInt8 for a KGroup of 4.
//
//go:noescape
func widenInt8NEON(dst []float32, src []int8, scale []float32)

// widenInt8I8MM is Set.WidenInt8 for a KGroup of 8.
//
//go:noescape
func widenInt8I8MM(dst []float32, src []int8, scale []float32)

// widenHalfNEON is Set.WidenHalf.
//
//go:noescape
func widenHalfNEON(dst []float32, src []uint16, scale []float32)

// quantizeNEON is q = roundEven(x factor); |x factor| stays below 127.5.
//
//go:noescape
func quantizeNEON(q []uint8, x []float32, factor float32)

// absMaxNEON is the largest magnitude of x, 0 for no elements.
//
//go:noescape
func absMaxNEON(x []float32) float32

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

// sumNEON is Set.Sum.
//
//go:noescape
func sumNEON(x []float32) float32

// dotNEON is Set.Dot.
//
//go:noescape
func dotNEON(x, y []float32) float32

// squaresNEON is Set.Squares.
//
//go:noescape
func squaresNEON(x []float32, mean float32) float32

// largestNEON is Set.Largest.
//
//go:noescape
func largestNEON(x []float32) float32

// geluNEON is Set.GELU.
//
//go:noescape
func geluNEON(x []float32)

// geluGradNEON is Set.GELUGrad.
//
//go:noescape
func geluGradNEON(x, d []float32)

// expSumNEON is Set.ExpSum.
//
//go:noescape
func expSumNEON(x []float32, scale, shift float32) float32

// scoreGradNEON is Set.ScoreGrad.
//
//go:noescape
func scoreGradNEON(dp, p []float32, delta, scale float32)

// normalizeNEON is Set.Normalize.
//
//go:noescape
func normalizeNEON(y, x, gamma, beta []float32, mean, rstd float32)

// normSumsNEON is Set.NormSums.
//
//go:noescape
func normSumsNEON(x, gamma, dy []float32, mean, rstd float32) (u, ux float32)

// normGradNEON is Set.NormGrad.
//
//go:noescape
func normGradNEON(dx, x, gamma, dy []float32, mean, rstd, u, ux float32)

// transpose4NEON transposes blocks of 4 x 4: dst[j ldd + i] = src[i lds + j]. The blocks lie side by side in src, one below
// the other in dst.
//
//go:noescape
func transpose4NEON(dst []float32, ldd int, src []float32, lds, blocks int)

// gemmInt8NEON is Set.GemmInt8 for m <= MR.
//
//go:noescape
func gemmInt8NEON(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)

// gemmInt8DotProd is Set.GemmInt8 for m <= MR.
//
//go:noescape
func gemmInt8DotProd(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)

// gemmInt8I8MM is Set.GemmInt8 for m <= MR and a KGroup of 8.
//
//go:noescape
func gemmInt8I8MM(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)

// gemmInt4NEON is Set.GemmInt4.
//
//go:noescape
func gemmInt4NEON(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)

// gemmInt4DotProd is Set.GemmInt4.
//
//go:noescape
func gemmInt4DotProd(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)

// gemmInt4I8MM is Set.GemmInt4.
//
//go:noescape
func gemmInt4I8MM(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)

// sumInt8NEON is the sum of x as int8, whole octets.
//
//go:noescape
func sumInt8NEON(x []uint8) int32
