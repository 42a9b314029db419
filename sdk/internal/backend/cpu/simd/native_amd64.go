package simd

import "golang.org/x/sys/cpu"

// native lists the sets in assembly that processor and operating system support, best first.
func native() []*Set {
	x := &cpu.X86
	var sets []*Set
	if !x.HasAVX2 || !x.HasFMA || !x.HasBMI2 {
		return sets
	}
	if x.HasAVX512F && x.HasAVX512DQ {
		if x.HasAVX512VNNI {
			sets = append(sets, avx512VNNI())
		}
		sets = append(sets, avx512())
	}
	if x.HasAVXVNNI {
		sets = append(sets, avxVNNI())
	}
	return append(sets, avx2())
}

// offset is the Zero of sets whose dot product takes unsigned activations.
const offset = 128

func avx512VNNI() *Set {
	s := avx512()
	s.Name, s.GemmInt8, s.Zero = "avx512vnni", gemmInt8AVX512VNNI, offset
	s.Quantize = blocks(quantizeAVX512VNNI, 16, offset)
	return s
}

func avxVNNI() *Set {
	s := avx2()
	s.Name, s.GemmInt8, s.Zero = "avxvnni", gemmInt8AVXVNNI, offset
	s.Quantize = blocks(quantizeAVXVNNI, 8, offset)
	return s
}

// blocks makes Set.Quantize of a kernel that takes whole blocks of whole registers; what it cannot take is left to
// plain Go.
func blocks(kernel func(q []uint8, scale, x []float32, block int), lanes int, zero uint8) func(q []uint8, scale, x []float32, block int) {
	return func(q []uint8, scale, x []float32, block int) {
		block = min(block, len(x))
		whole := 0
		if block%lanes == 0 {
			whole = len(x) / block * block
		}
		if whole > 0 {
			kernel(q[:whole], scale, x[:whole], block)
		}
		if whole < len(x) {
			quantize(q[whole:], scale[whole/block:], x[whole:], block)
			for i := whole; i < len(x); i++ {
				q[i] += zero
			}
		}
	}
}

func avx512() *Set {
	return &Set{
		Name: "avx512", MR: 13, NR: 32,
		Gemm:      gemmAVX512,
		WidenInt8: widenInt8AVX512, WidenHalf: widenHalfAVX512, Transpose: transposeAVX2,
		KGroup: kGroup,
		Add:    addAVX512, Mul: mulAVX512, Axpy: axpyAVX512, Scale: scaleAVX512,
		Sum: sumAVX512, Dot: dotAVX512, Squares: squaresAVX512, Largest: largestAVX512,
		GELU: geluAVX512, GELUGrad: geluGradAVX512, ExpSum: expSumAVX512, ScoreGrad: scoreGradAVX512,
		Normalize: normalizeAVX512, NormSums: normSumsAVX512, NormGrad: normGradAVX512,
	}
}

func avx2() *Set {
	return &Set{
		Name: "avx2", MR: 6, NR: 16,
		Gemm:      gemmAVX2,
		WidenInt8: widenInt8AVX2, WidenHalf: widenHalfAVX2, Transpose: transposeAVX2,
		KGroup: kGroup,
		Add:    addAVX2, Mul: mulAVX2, Axpy: axpyAVX2, Scale: scaleAVX2,
		Sum: sumAVX2, Dot: dotAVX2, Squares: squaresAVX2, Largest: largestAVX2,
		GELU: geluAVX2, GELUGrad: geluGradAVX2, ExpSum: expSumAVX2, ScoreGrad: scoreGradAVX2,
		Normalize: normalizeAVX2, NormSums: normSumsAVX2, NormGrad: normGradAVX2,
		GemmInt8: gemmInt8AVX2, Quantize: blocks(quantizeAVX2, 8, 0),
	}
}

// transposeAVX2 takes blocks of 8 x 8 and leaves the edges to plain Go.
func transposeAVX2(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	i, whole := 0, cols/8*8
	if whole > 0 {
		for ; i+8 <= rows; i += 8 {
			transpose8AVX2(dst[i:], ldd, src[i*lds:], lds, whole/8)
		}
	}
	if whole < cols && i > 0 {
		transpose(dst[whole*ldd:], ldd, src[whole:], lds, i, cols-whole)
	}
	if i < rows {
		transpose(dst[i:], ldd, src[i*lds:], lds, rows-i, cols)
	}
}
