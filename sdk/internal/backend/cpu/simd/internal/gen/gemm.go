package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemm writes the kernel for nv vectors of columns of C, rows in tiles of mr (AVX-512: one tile), summed over k in increasing
// order, each element by one chain of fused multiply-adds.
//
// A is read where it lies, element (i, k) at i ars + k aks, so that rows, columns and heads of any matrix serve
// without packing. There is a loop for every m: a tile with fewer rows costs no more than its rows.
func (v isa) gemm() {
	TEXT("gemm"+v.name, NOSPLIT, "func(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)")
	Pragma("noescape")
	rows := ""
	if v.wide {
		rows = " for m <= MR"
	}
	Doc("gemm" + v.name + " is Set.Gemm" + rows + ".")
	Label("tile")
	m := Load(Param("m"), GP64())
	k := Load(Param("k"), GP64())
	a := Load(Param("a").Base(), GP64())
	aks := v.stride("aks")
	b := Load(Param("b").Base(), GP64())
	bs := v.stride("bs")
	// Row i = odd 2^p is at a + odd ars * 2^p: one pointer to move, and an index register for each odd number.
	odd := map[int]reg.GPVirtual{1: v.stride("ars")}
	for i := 3; i < v.mr; i += 2 {
		odd[i] = GP64()
		Comment(fmt.Sprintf("%d rows", i))
		if i == 3 {
			LEAQ(Mem{Base: odd[1], Index: odd[1], Scale: 2}, odd[3])
		} else {
			LEAQ(Mem{Base: odd[i-2], Index: odd[1], Scale: 2}, odd[i])
		}
	}
	for rows := v.mr; rows > 1; rows-- {
		CMPQ(m, Imm(uint64(rows)))
		JGE(LabelRef(fmt.Sprintf("rows%d", rows)))
	}
	for rows := 1; rows <= v.mr; rows++ {
		Label(fmt.Sprintf("rows%d", rows))
		v.tile(rows, k, a, aks, b, bs, odd)
		if !v.wide && rows == v.mr {
			nextTile(rows, moving{"a", "ars", 4}, moving{"c", "cs", 4})
		}
		v.upperClear()
		RET()
	}
}

// stride loads a stride and turns elements into bytes.
func (v isa) stride(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	SHLQ(Imm(2), r)
	return r
}

func (v isa) upperClear() { VZEROUPPER() }

// tile writes the code for a number of rows.
func (v isa) tile(rows int, k, a, aks, b, bs reg.Register, odd map[int]reg.GPVirtual) {
	acc := make([][]reg.Register, rows)
	for i := range acc {
		for range v.nv {
			acc[i] = append(acc[i], v.zero())
		}
	}
	loop, start := fmt.Sprintf("loop%d", rows), fmt.Sprintf("start%d", rows)
	accumulate := Load(Param("accumulate"), GP8())
	TESTB(accumulate, accumulate)
	JZ(LabelRef(start))
	v.rows(acc, func(at Mem, r reg.Register) { VMOVUPS(at, r) })
	Label(start)
	TESTQ(k, k)
	JZ(LabelRef(loop + "done"))
	Label(loop)
	bv := make([]reg.VecVirtual, v.nv)
	for j := range bv {
		bv[j] = v.reg()
		VMOVUPS(Mem{Base: b, Disp: j * v.bytes()}, bv[j])
	}
	for i := range acc {
		at := Mem{Base: a}
		if i > 0 {
			p := bits.TrailingZeros(uint(i))
			at = Mem{Base: a, Index: odd[i>>p], Scale: 1 << p}
		}
		x := v.reg()
		VBROADCASTSS(at, x)
		for j := range bv {
			VFMADD231PS(bv[j], x, acc[i][j])
		}
	}
	ADDQ(aks, a)
	ADDQ(bs, b)
	DECQ(k)
	JNZ(LabelRef(loop))
	Label(loop + "done")
	v.rows(acc, func(at Mem, r reg.Register) { VMOVUPS(r, at) })
}

// rows calls f for each accumulator with its place in C.
func (v isa) rows(acc [][]reg.Register, f func(at Mem, r reg.Register)) {
	c := Load(Param("c").Base(), GP64())
	cs := v.stride("cs")
	for i := range acc {
		for j, r := range acc[i] {
			f(Mem{Base: c, Disp: j * v.bytes()}, r)
		}
		if i+1 < len(acc) {
			ADDQ(cs, c)
		}
	}
}
