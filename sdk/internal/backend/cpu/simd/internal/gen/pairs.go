package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// AVX2 has no dot product of int8, but one of unsigned with signed bytes that adds pairs in int16 and saturates.
//
// Activations with 128 added are its unsigned operand where the weights are such that no pair can saturate: 255 times the sum
// of two that lie side by side is below 2^15 where that sum is within quant.MaxPair.
//
// For other weights the magnitudes are that operand: a pair is at most 2 · 127 · 128 and exact. The sign goes to the weight,
// as its bits flipped: ^w = -w - 1, so that
//
//	x w = |x| (w ^ s) + |x| [x < 0]
//
// and the sums of the last terms over a block, the same for all columns, are rounded with the row. Flipping takes any
// of the vector units, where a change of sign takes one of those that multiply.

// termBytes is the size of that sum in front of a block.
const termBytes = 4

// pairRows is how many rows a tile has: their sums leave registers for the weights of a group, which are then read once and
// not for each row.
const pairRows = 5

// pairGroups adds the products of the left groups of a block, two at a time.
func (s int8Set) pairGroups(acc [][]reg.Register, weights []Op, left reg.Register, a rowPointers, w reg.Register, label func(string) string) {
	ones, size := YMM(), s.groupBytes()
	VMOVDQU(ones16(), ones)
	JMP(LabelRef(label("pairs")))
	Label(label("pair"))
	for g := range 2 {
		s.pairGroup(acc, weights, ones, a, w, g)
	}
	a.advance(len(acc), 2*size)
	ADDQ(Imm(uint64(2*s.nv*s.bytes())), w)
	Label(label("pairs"))
	SUBQ(Imm(2), left)
	JGE(LabelRef(label("pair")))
	ADDQ(Imm(2), left)
	JZ(LabelRef(label("sums")))
	s.pairGroup(acc, weights, ones, a, w, 0)
	a.advance(len(acc), size)
	ADDQ(Imm(uint64(s.nv*s.bytes())), w)
	Label(label("sums"))
}

// groupBytes is what a group of activations takes.
func (s int8Set) groupBytes() int {
	if s.split {
		return 2 * kGroup
	}
	return kGroup
}

// pairGroup adds the products of the group g groups ahead.
func (s int8Set) pairGroup(acc [][]reg.Register, weights []Op, ones reg.Register, a rowPointers, w reg.Register, g int) {
	for j, r := range weights {
		VMOVDQU(Mem{Base: w, Disp: (s.nv*g + j) * s.bytes()}, r)
	}
	for i := range acc {
		at := a.row(i)
		at.Disp = s.groupBytes() * g
		x := YMM()
		VPBROADCASTD(at, x)
		terms := weights
		if s.split {
			at.Disp += kGroup
			terms = flipped(weights, at)
		}
		sums := s.products(terms, x)
		for _, t := range sums {
			VPMADDWD(ones, t, t)
		}
		for j, t := range sums {
			VPADDD(t, acc[i][j], acc[i][j])
		}
	}
}

// flipped is the weights with the signs that are read from at.
func flipped(weights []Op, at Mem) []Op {
	sign, terms := YMM(), make([]Op, len(weights))
	VPBROADCASTD(at, sign)
	for j := len(weights) - 1; j >= 0; j-- {
		t := sign
		if j > 0 {
			t = YMM()
		}
		VPXOR(weights[j], sign, t)
		terms[j] = t
	}
	return terms
}

// products are the sums of pairs of x times the weights; the last may lie in x's register, and flipped ones in their own.
func (s int8Set) products(weights []Op, x reg.VecVirtual) []reg.VecVirtual {
	terms := make([]reg.VecVirtual, len(weights))
	for j, w := range weights {
		switch {
		case s.split:
			terms[j] = w.(reg.VecVirtual)
		case j == len(weights)-1:
			terms[j] = x
		default:
			terms[j] = YMM()
		}
		VPMADDUBSW(w, x, terms[j])
	}
	return terms
}

var sixteens *Mem

// ones16 is a register of int16 ones.
func ones16() Mem {
	if sixteens == nil {
		m := GLOBL("ones16", RODATA|NOPTR)
		for i := range 8 {
			DATA(4*i, U32(0x10001))
		}
		sixteens = &m
	}
	return *sixteens
}

// sumInt8 writes the kernel that adds up eight columns of an int8 panel and finds the largest magnitude of a pair's sum.
func sumInt8() {
	TEXT("sumInt8AVX2", NOSPLIT, "func(sums []int32, panel []int8, stride, groups int) (pair int32)")
	Pragma("noescape")
	Doc("sumInt8AVX2 is sumInt8 for the first eight columns of a panel whose groups lie stride bytes apart.")
	sums, panel := base("sums"), base("panel")
	stride, groups := Load(Param("stride"), GP64()), Load(Param("groups"), GP64())
	ones, bytes, acc, widest := YMM(), YMM(), YMM(), YMM()
	VMOVDQU(ones16(), ones)
	VPACKUSWB(ones, ones, bytes)
	VPXOR(widest, widest, widest)
	VMOVDQU(Mem{Base: sums}, acc)
	Label("group")
	pairs, magnitude := YMM(), YMM()
	VPMADDUBSW(Mem{Base: panel}, bytes, pairs)
	VPABSW(pairs, magnitude)
	VPMAXSW(magnitude, widest, widest)
	VPMADDWD(ones, pairs, pairs)
	VPADDD(pairs, acc, acc)
	ADDQ(stride, panel)
	DECQ(groups)
	JNZ(LabelRef("group"))
	VMOVDQU(acc, Mem{Base: sums})
	// The largest of sixteen.
	half := XMM()
	VEXTRACTI128(Imm(1), widest, half)
	VPMAXSW(half, widest.AsX(), half)
	next := XMM()
	for _, by := range []uint64{8, 4, 2} {
		VPSRLDQ(Imm(by), half, next)
		VPMAXSW(next, half, half)
	}
	pair := GP32()
	VPEXTRW(Imm(0), half, pair)
	Store(pair, ReturnIndex(0))
	isas[0].end()
}
