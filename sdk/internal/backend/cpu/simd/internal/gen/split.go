package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// AVX2 has no dot product of int8, but one of unsigned with signed bytes that adds pairs in int16 and saturates. With
// magnitudes as the unsigned operand a pair is at most 2 · 127 · 128 and exact. The sign goes to the weight, as its
// bits flipped: ^w = -w - 1, so that
//
//	x w = |x| (w ^ s) + |x| [x < 0]
//
// and the sums of the last terms over a block, the same for all columns, are rounded with the row. Flipping takes any
// of the vector units, where a change of sign takes one of those that multiply.

// termBytes is the size of that sum in front of a block.
const termBytes = 4

// splitRows is how many rows a tile has: their sums leave registers for the weights of a group, which are then read once and
// not for each row.
const splitRows = 5

// splitGroups adds the products of the left groups of a block, two at a time.
func (s int8Set) splitGroups(acc [][]reg.Register, weights []Op, left reg.Register, a rowPointers, w reg.Register, label func(string) string) {
	ones := YMM()
	VMOVDQU(ones16(), ones)
	JMP(LabelRef(label("pairs")))
	Label(label("pair"))
	for g := range 2 {
		s.splitGroup(acc, weights, ones, a, w, g)
	}
	a.advance(len(acc), 2*2*kGroup)
	ADDQ(Imm(uint64(2*s.nv*s.bytes())), w)
	Label(label("pairs"))
	SUBQ(Imm(2), left)
	JGE(LabelRef(label("pair")))
	ADDQ(Imm(2), left)
	JZ(LabelRef(label("sums")))
	s.splitGroup(acc, weights, ones, a, w, 0)
	a.advance(len(acc), 2*kGroup)
	ADDQ(Imm(uint64(s.nv*s.bytes())), w)
	Label(label("sums"))
}

// splitGroup adds the products of the group g groups ahead.
func (s int8Set) splitGroup(acc [][]reg.Register, weights []Op, ones reg.Register, a rowPointers, w reg.Register, g int) {
	for j, r := range weights {
		VMOVDQU(Mem{Base: w, Disp: (s.nv*g + j) * s.bytes()}, r)
	}
	for i := range acc {
		at := a.row(i)
		at.Disp = 2 * kGroup * g
		magnitude, sign := YMM(), YMM()
		VPBROADCASTD(at, magnitude)
		at.Disp += kGroup
		VPBROADCASTD(at, sign)
		terms := make([]reg.Register, s.nv)
		for j := s.nv - 1; j >= 0; j-- {
			terms[j] = sign
			if j > 0 {
				terms[j] = YMM()
			}
			VPXOR(weights[j], sign, terms[j])
		}
		for _, t := range terms {
			VPMADDUBSW(t, magnitude, t)
		}
		for _, t := range terms {
			VPMADDWD(ones, t, t)
		}
		for j, t := range terms {
			VPADDD(t, acc[i][j], acc[i][j])
		}
	}
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
