package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/edgeadapt/edgeadapt/quant"
)

// quantize takes rows of whole blocks, and blocks of whole registers.
func (s int8Set) quantize() {
	TEXT("quantize"+s.name, NOSPLIT, "func(q []uint8, scale, x []float32, block int)")
	Pragma("noescape")
	Doc("quantize" + s.name + " is Set.Quantize for whole blocks of whole registers.")
	if s.split {
		s.eachBlock(s.roundSplit)
	} else {
		s.eachBlock(s.round)
	}
}

// quantizeTerms takes rows of whole blocks, and runs of whole registers; the last of a block may be shorter.
func (s int8Set) quantizeTerms() {
	TEXT("quantizeTerms"+s.name, NOSPLIT, "func(q []uint8, scale, x []float32, block, run int)")
	Pragma("noescape")
	Doc("quantizeTerms" + s.name + " is Set.QuantizeTerms for whole blocks, and runs of whole registers.")
	s.eachBlock(s.roundTerms)
}

// eachBlock finds the scale of each block and lets round write it with the factors that take it to int8.
func (s int8Set) eachBlock(round func(q, x, block, factors reg.Register)) {
	q, x, n := base("q"), base("x"), length("x")
	scale, block := base("scale"), Load(Param("block"), GP64())
	at := GP64()
	Label("block")
	// The largest magnitude.
	top := s.zero()
	XORQ(at, at)
	Label("scan")
	r := s.reg()
	VMOVUPS(Mem{Base: x, Index: at, Scale: 4}, r)
	if s.wide {
		VPANDD(constant(math.Float32frombits(0x7fffffff)), r, r)
	} else {
		VANDPS(constant(math.Float32frombits(0x7fffffff)), r, r)
	}
	VMAXPS(r, top, top)
	ADDQ(Imm(uint64(s.lanes)), at)
	CMPQ(at, block)
	JL(LabelRef("scan"))
	largest := s.fold(top, func(a, b, c Op) { VMAXPS(a, b, c) }).AsX()
	// quant.ActivationRange.
	width, factor := XMM(), XMM()
	VXORPS(width, width, width)
	VXORPS(factor, factor, factor)
	VUCOMISS(constant(quant.SmallestRange), largest)
	JCS(LabelRef("ranged"))
	VDIVSS(constant(quant.MaxInt8), largest, width)
	VMOVSS(constant(quant.MaxInt8), factor)
	VDIVSS(largest, factor, factor)
	Label("ranged")
	VMOVSS(width, Mem{Base: scale})
	factors := s.reg()
	VBROADCASTSS(factor, factors)
	round(q, x, block, factors)
	ADDQ(Imm(4), scale)
	SUBQ(block, n)
	JG(LabelRef("block"))
	s.end()
}

// round writes a block as bytes.
func (s int8Set) round(q, x, block, factors reg.Register) {
	flip := XMM()
	if s.offset {
		VMOVDQU(signs(), flip)
	}
	s.eachRounded(x, block, factors, func(bytes reg.VecVirtual) {
		if s.offset {
			VPXOR(flip, bytes, bytes)
		}
		if s.wide {
			VMOVDQU(bytes, Mem{Base: q})
		} else {
			VMOVQ(bytes, Mem{Base: q})
		}
		ADDQ(Imm(uint64(s.lanes)), q)
	})
}

// roundSplit writes a block as magnitudes and signs, behind the sum of the magnitudes of what is negative.
func (s int8Set) roundSplit(q, x, block, factors reg.Register) {
	zero, negative, front := XMM(), XMM(), GP64()
	VPXOR(zero, zero, zero)
	VPXOR(negative, negative, negative)
	MOVQ(q, front)
	ADDQ(Imm(termBytes), q)
	s.eachRounded(x, block, factors, func(bytes reg.VecVirtual) {
		sign, sum := XMM(), XMM()
		VPCMPGTB(bytes, zero, sign)
		VPABSB(bytes, bytes)
		VPAND(bytes, sign, sum)
		VPSADBW(zero, sum, sum)
		VPADDD(sum, negative, negative)
		VPUNPCKLDQ(sign, bytes, bytes)
		VMOVDQU(bytes, Mem{Base: q})
		ADDQ(Imm(uint64(2*s.lanes)), q)
	})
	VMOVD(negative, Mem{Base: front})
}

// roundTerms writes a block as runs of bytes, each behind -8 times its sum: VPSADBW adds unsigned bytes, x + 128.
func (s int8Set) roundTerms(q, x, block, factors reg.Register) {
	zero, flip, sums := XMM(), XMM(), XMM()
	front, rest, n := GP64(), GP64(), GP64()
	VPXOR(zero, zero, zero)
	VMOVDQU(signs(), flip)
	MOVQ(block, rest)
	Label("run")
	Load(Param("run"), n)
	CMPQ(n, rest)
	CMOVQGT(rest, n)
	SUBQ(n, rest)
	MOVQ(q, front)
	ADDQ(Imm(termBytes), q)
	VPXOR(sums, sums, sums)
	s.eachRounded(x, n, factors, func(bytes reg.VecVirtual) {
		sum := XMM()
		VPXOR(flip, bytes, sum)
		VPSADBW(zero, sum, sum)
		VPADDD(sum, sums, sums)
		VMOVQ(bytes, Mem{Base: q})
		ADDQ(Imm(uint64(s.lanes)), q)
	})
	// -8 (Σ (x + 128) - 128 n)
	sum := GP64()
	VMOVD(sums, sum.As32())
	SHLQ(Imm(7), n)
	SUBQ(sum, n)
	SHLQ(Imm(3), n)
	MOVL(n.As32(), Mem{Base: front})
	TESTQ(rest, rest)
	JNZ(LabelRef("run"))
}

// eachRounded gives a block as registers of signed bytes; without AVX-512 they lie in the low half, and again in the high one.
func (s int8Set) eachRounded(x, block, factors reg.Register, store func(bytes reg.VecVirtual)) {
	left := GP64()
	MOVQ(block, left)
	Label("round")
	r, bytes := s.reg(), XMM()
	VMULPS(Mem{Base: x}, factors, r)
	VCVTPS2DQ(r, r)
	if s.wide {
		VPMOVSDB(r, bytes)
	} else {
		VEXTRACTI128(Imm(1), r, bytes)
		VPACKSSDW(bytes, r.AsX(), bytes)
		VPACKSSWB(bytes, bytes, bytes)
	}
	store(bytes)
	ADDQ(Imm(uint64(s.bytes())), x)
	SUBQ(Imm(uint64(s.lanes)), left)
	JG(LabelRef("round"))
}

var signBits *Mem

// signs is sixteen bytes of 0x80.
func signs() Mem {
	if signBits == nil {
		m := GLOBL("signs", RODATA|NOPTR)
		for i := range 4 {
			DATA(4*i, U32(0x80808080))
		}
		signBits = &m
	}
	return *signBits
}
