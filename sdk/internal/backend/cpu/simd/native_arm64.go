package simd

// native lists the sets in assembly. Advanced SIMD belongs to every arm64 processor.
func native() []*Set { return []*Set{neon()} }

func neon() *Set {
	return &Set{
		Name: "neon", MR: 8, NR: 12,
		Gemm:      gemmNEON,
		WidenInt8: widenInt8NEON, WidenHalf: widenHalfNEON, Transpose: transposeNEON, KGroup: kGroup,
		Quantize: quantizeNEON, AbsMax: absMaxNEON,
		Add: addNEON, Mul: mulNEON, Axpy: axpyNEON, Scale: scaleNEON,
		Sum: sumNEON, Dot: dotNEON, Squares: squaresNEON, Largest: largestNEON,
		GELU: geluNEON, GELUGrad: geluGradNEON, ExpSum: expSumNEON, ScoreGrad: scoreGradNEON,
		Normalize: normalizeNEON, NormSums: normSumsNEON, NormGrad: normGradNEON,
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
