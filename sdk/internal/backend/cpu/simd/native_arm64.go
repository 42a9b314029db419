package simd

import (
	"encoding/binary"

	"golang.org/x/sys/cpu"

	"github.com/edgeadapt/edgeadapt/quant"
)

// native lists the sets in assembly that the processor supports, best first. Advanced SIMD belongs to every arm64
// processor; they differ in the products of integers alone.
func native() []*Set {
	var sets []*Set
	if cpu.ARM64.HasI8MM {
		sets = append(sets, i8mm())
	}
	if cpu.ARM64.HasASIMDDP {
		sets = append(sets, dotProd())
	}
	return append(sets, neon())
}

// i8mm has the matrix product of FEAT_I8MM (Cortex-A510, A710 and later, Neoverse N2, V1 and later, Apple M2).
func i8mm() *Set {
	s := neon()
	s.Name, s.KGroup, s.GemmInt8, s.WidenInt8 = "i8mm", 8, int8InTiles(s.MR, gemmInt8I8MM), widenInt8I8MM
	s.GemmInt4 = gemmInt4I8MM
	return s
}

// dotProd has the dot product of FEAT_DotProd (Cortex-A55, A75 and later, as in the Raspberry Pi 5, Apple M1).
func dotProd() *Set {
	s := neon()
	s.Name, s.GemmInt8, s.GemmInt4 = "dotprod", int8InTiles(s.MR, gemmInt8DotProd), gemmInt4DotProd
	return s
}

// neonRows is the MR of all three.
const neonRows = 6

// neon needs nothing beyond Armv8.0 (Cortex-A53 and A72, as in the Raspberry Pi 3 and 4).
func neon() *Set {
	return &Set{
		Name: "neon", MR: neonRows, NR: 16,
		Gemm:      inTiles(neonRows, gemmNEON),
		WidenInt8: widenInt8NEON, WidenHalf: widenHalfNEON, Transpose: transposeNEON,
		Int8:     Int8{KGroup: kGroup, GemmInt8: int8InTiles(neonRows, gemmInt8NEON), Quantize: quantizeBlocks},
		GemmInt4: gemmInt4NEON, QuantizeTerms: quantizeRuns,
		Add: addNEON, Mul: mulNEON, Axpy: axpyNEON, Scale: scaleNEON,
		Sum: sumNEON, Dot: dotNEON, Squares: squaresNEON, Largest: largestNEON,
		GELU: geluNEON, GELUGrad: geluGradNEON, ExpSum: expSumNEON, ScoreGrad: scoreGradNEON,
		Normalize: normalizeNEON, NormSums: normSumsNEON, NormGrad: normGradNEON,
	}
}

// quantizeBlocks is Set.Quantize.
func quantizeBlocks(q []uint8, scale, x []float32, block int) {
	for b := range scale {
		from, to := b*block, min((b+1)*block, len(x))
		var factor float32
		scale[b], factor = quant.ActivationRange(absMaxNEON(x[from:to]))
		quantizeNEON(q[from:to], x[from:to], factor)
	}
	pad(q, len(x), 0)
}

// quantizeRuns is Set.QuantizeTerms.
func quantizeRuns(q []uint8, scale, x []float32, block, run int) {
	for b := range scale {
		from, to := b*block, min((b+1)*block, len(x))
		var factor float32
		scale[b], factor = quant.ActivationRange(absMaxNEON(x[from:to]))
		for from < to {
			n := min(run, to-from)
			size := termBytes + roundUp(n, Octet)
			quantizeNEON(q[termBytes:termBytes+n], x[from:from+n], factor)
			pad(q[:size], termBytes+n, 0)
			binary.LittleEndian.PutUint32(q, uint32(-int4Zero*sumInt8NEON(q[termBytes:size])))
			q, from = q[size:], from+n
		}
	}
}

// transposeNEON takes blocks of 4 x 4 and leaves the edges to plain Go.
func transposeNEON(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	i, whole := 0, cols/4*4
	if whole > 0 {
		for ; i+4 <= rows; i += 4 {
			transpose4NEON(dst[i:], ldd, src[i*lds:], lds, whole/4)
		}
	}
	if whole < cols && i > 0 {
		transpose(dst[whole*ldd:], ldd, src[whole:], lds, i, cols-whole)
	}
	if i < rows {
		transpose(dst[i:], ldd, src[i*lds:], lds, rows-i, cols)
	}
}
