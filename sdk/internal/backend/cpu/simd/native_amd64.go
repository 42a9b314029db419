package simd

import (
	"encoding/binary"
	"math"

	"golang.org/x/sys/cpu"

	"github.com/edgeadapt/edgeadapt/quant"
)

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
	s.Name, s.GemmInt4 = "avx512vnni", gemmInt4AVX512VNNI
	s.Int8 = Int8{KGroup: kGroup, GemmInt8: int8InTiles(s.MR, gemmInt8AVX512VNNI), Quantize: blocks(quantizeAVX512VNNI, 16, offset), Zero: offset, SumInt8: sumInt8}
	return s
}

func avxVNNI() *Set {
	s := avx2()
	s.Name, s.GemmInt4 = "avxvnni", gemmInt4AVXVNNI
	s.Int8, s.Pairs = *s.Pairs, nil // the same form of activations
	s.GemmInt8 = int8InTiles(s.MR, gemmInt8AVXVNNI)
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
		pad(q, len(x), zero)
	}
}

// quantizeSplit is Set.Quantize in magnitudes and signs: whole blocks of whole registers in assembly, the rest in plain Go.
func quantizeSplit(q []uint8, scale, x []float32, block int) {
	block = min(block, len(x))
	if whole := len(x) / block; whole > 0 && block%8 == 0 {
		size := termBytes + 2*block
		quantizeAVX2(q[:whole*size], scale[:whole], x[:whole*block], block)
		q, scale, x = q[whole*size:], scale[whole:], x[whole*block:]
	}
	for b := 0; len(x) > 0; b++ {
		n := min(block, len(x))
		size := termBytes + 2*roundUp(n, kGroup)
		splitBlock(q[:size], scale[b:b+1], x[:n])
		q, x = q[size:], x[n:]
	}
}

// splitBlock writes one block.
func splitBlock(q []uint8, scale, x []float32) {
	pad(q, 0, 0)
	width, factor := quant.ActivationRange(largestMagnitude(x))
	scale[0] = width
	negative := int32(0)
	for i, v := range x {
		r := int32(math.RoundToEven(float64(v * factor)))
		at := termBytes + i/kGroup*2*kGroup + i%kGroup
		if r < 0 {
			r = -r
			q[at+kGroup] = 0xff
			negative += r
		}
		q[at] = uint8(r)
	}
	binary.LittleEndian.PutUint32(q, uint32(negative))
}

// termsAVX2 is Set.QuantizeTerms: whole blocks of whole runs in assembly.
func termsAVX2(q []uint8, scale, x []float32, block, run int) {
	block = min(block, len(x))
	run = min(run, block)
	if whole := len(x) / block; whole > 0 && block%Octet == 0 && run%Octet == 0 && (block%run == 0 || block == len(x)) {
		size := TermsBytes(whole*block, run)
		quantizeTermsAVX2(q[:size], scale[:whole], x[:whole*block], block, run)
		q, scale, x = q[size:], scale[whole:], x[whole*block:]
	}
	quantizeTerms(q, scale, x, block, run)
}

// avx512Rows is the MR of both.
const avx512Rows = 13

func avx512() *Set {
	return &Set{
		Name: "avx512", MR: avx512Rows, NR: 32,
		Gemm:      inTiles(avx512Rows, gemmAVX512),
		WidenInt8: widenInt8AVX512, WidenHalf: widenHalfAVX512, Transpose: transposeAVX2,
		Int8: Int8{KGroup: kGroup},
		Add:  addAVX512, Mul: mulAVX512, Axpy: axpyAVX512, Scale: scaleAVX512,
		Sum: sumAVX512, Dot: dotAVX512, Squares: squaresAVX512, Largest: largestAVX512,
		GELU: geluAVX512, GELUGrad: geluGradAVX512, ExpSum: expSumAVX512, ScoreGrad: scoreGradAVX512,
		GemmInt4: gemmInt4AVX2, QuantizeTerms: termsAVX2,
		Normalize: normalizeAVX512, NormSums: normSumsAVX512, NormGrad: normGradAVX512,
	}
}

func avx2() *Set {
	return &Set{
		Name: "avx2", MR: 6, NR: 16,
		Gemm:      gemmAVX2,
		WidenInt8: widenInt8AVX2, WidenHalf: widenHalfAVX2, Transpose: transposeAVX2,
		Int8:  Int8{KGroup: kGroup, GemmInt8: gemmInt8AVX2, Quantize: quantizeSplit, Split: true},
		Pairs: &Int8{KGroup: kGroup, GemmInt8: gemmInt8PairsAVX2, Quantize: blocks(quantizePairsAVX2, 8, offset), Zero: offset, SumInt8: sumInt8},
		Add:   addAVX2, Mul: mulAVX2, Axpy: axpyAVX2, Scale: scaleAVX2,
		Sum: sumAVX2, Dot: dotAVX2, Squares: squaresAVX2, Largest: largestAVX2,
		GELU: geluAVX2, GELUGrad: geluGradAVX2, ExpSum: expSumAVX2, ScoreGrad: scoreGradAVX2,
		Normalize: normalizeAVX2, NormSums: normSumsAVX2, NormGrad: normGradAVX2,
		WidenInt4: widenInt4AVX2, GemmInt4: gemmInt4AVX2, QuantizeTerms: termsAVX2,
	}
}

// sumInt8 is Int8.SumInt8.
func sumInt8(sums []int32, panel []int8) (pair int32) {
	stride := len(sums) * kGroup
	for j := 0; j < len(sums) && len(panel) > 0; j += 8 {
		pair = max(pair, sumInt8AVX2(sums[j:], panel[j*kGroup:], stride, len(panel)/stride))
	}
	return pair
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
