package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// widenInt8 writes the kernel that turns an int8 panel into rows of float32. The panel holds, for each group of four
// rows, four bytes a column; each column has its scale.
func (v isa) widenInt8() {
	v.function("widenInt8", "dst []float32, src []int8, scale []float32)", "Set.WidenInt8.")
	dst, src, n := base("dst"), base("src"), length("src")
	scales := v.scales()
	JMP(LabelRef("check"))
	Label("group")
	for j := range scales {
		packed := v.reg()
		VMOVUPS(Mem{Base: src, Disp: j * v.bytes()}, packed)
		for t := range kGroup {
			r := v.reg()
			switch t {
			case kGroup - 1:
				VPSRAD(Imm(24), packed, r)
			default:
				VPSLLD(Imm(uint64(24-8*t)), packed, r)
				VPSRAD(Imm(24), r, r)
			}
			VCVTDQ2PS(r, r)
			VMULPS(scales[j], r, r)
			VMOVUPS(r, Mem{Base: dst, Disp: (t*v.nv + j) * v.bytes()})
		}
	}
	ADDQ(Imm(uint64(v.nv*v.bytes())), src)
	ADDQ(U32(kGroup*v.nv*v.bytes()), dst)
	Label("check")
	SUBQ(Imm(uint64(v.nv*v.bytes())), n)
	JGE(LabelRef("group"))
	v.end()
}

// widenHalf writes the kernel that turns rows of half precision into float32: nv registers of columns, each column with
// its scale.
func (v isa) widenHalf() {
	v.function("widenHalf", "dst []float32, src []uint16, scale []float32)", "Set.WidenHalf.")
	dst, src, n := base("dst"), base("src"), length("src")
	scales := v.scales()
	JMP(LabelRef("check"))
	Label("row")
	for j := range scales {
		r := v.reg()
		VCVTPH2PS(Mem{Base: src, Disp: j * v.lanes * 2}, r)
		VMULPS(scales[j], r, r)
		VMOVUPS(r, Mem{Base: dst, Disp: j * v.bytes()})
	}
	ADDQ(Imm(uint64(v.nv*v.lanes*2)), src)
	ADDQ(Imm(uint64(v.nv*v.bytes())), dst)
	Label("check")
	SUBQ(Imm(uint64(v.nv*v.lanes)), n)
	JGE(LabelRef("row"))
	v.end()
}

// scales loads the scales of a panel's columns.
func (v isa) scales() []reg.VecVirtual {
	scale := base("scale")
	r := make([]reg.VecVirtual, v.nv)
	for j := range r {
		r[j] = v.reg()
		VMOVUPS(Mem{Base: scale, Disp: j * v.bytes()}, r[j])
	}
	return r
}

// transpose writes the kernel that transposes one 8 x 8 block; both instruction sets use it.
func transpose() {
	TEXT("transpose8AVX2", NOSPLIT, "func(dst []float32, ldd int, src []float32, lds, blocks int)")
	Pragma("noescape")
	Doc("transpose8AVX2 transposes blocks of 8 x 8: dst[j*ldd+i] = src[i*lds+j]. The blocks lie side by side in src, one",
		"below the other in dst.")
	dst, src := base("dst"), base("src")
	ldd, lds := isas[0].stride("ldd"), isas[0].stride("lds")
	blocks := Load(Param("blocks"), GP64())
	ldd3, lds3 := GP64(), GP64()
	LEAQ(Mem{Base: ldd, Index: ldd, Scale: 2}, ldd3)
	LEAQ(Mem{Base: lds, Index: lds, Scale: 2}, lds3)
	Label("block")
	TESTQ(blocks, blocks)
	JZ(LabelRef("end"))
	row := rowsOfEight(src, lds, lds3)
	// Rows i and i + 4 share a register; the two halves of the columns are transposed alike.
	var halves [2][4]reg.VecVirtual
	for h := range halves {
		for i := range 4 {
			halves[h][i] = YMM()
			VMOVUPS(row(i, 16*h), halves[h][i].AsX())
			VINSERTF128(Imm(1), row(i+4, 16*h), halves[h][i], halves[h][i])
		}
	}
	out := rowsOfEight(dst, ldd, ldd3)
	for h, r := range halves {
		a, b, c, d := YMM(), YMM(), YMM(), YMM()
		VUNPCKLPS(r[1], r[0], a)
		VUNPCKHPS(r[1], r[0], b)
		VUNPCKLPS(r[3], r[2], c)
		VUNPCKHPS(r[3], r[2], d)
		for i, p := range [][2]reg.VecVirtual{{a, c}, {b, d}} {
			low, high := YMM(), YMM()
			VUNPCKLPD(p[1], p[0], low)
			VUNPCKHPD(p[1], p[0], high)
			VMOVUPS(low, out(4*h+2*i, 0))
			VMOVUPS(high, out(4*h+2*i+1, 0))
		}
	}
	ADDQ(Imm(32), src)
	LEAQ(Mem{Base: dst, Index: ldd, Scale: 8}, dst)
	DECQ(blocks)
	JMP(LabelRef("block"))
	Label("end")
	isas[0].end()
}

// rowsOfEight gives the addresses of eight rows from one base and the stride once and three times.
func rowsOfEight(base, stride, stride3 reg.Register) func(i, disp int) Mem {
	fourth := GP64()
	LEAQ(Mem{Base: base, Index: stride, Scale: 4}, fourth)
	return func(i, disp int) Mem {
		m := Mem{Base: base, Disp: disp}
		if i >= 4 {
			m.Base = fourth
			i -= 4
		}
		switch i {
		case 1, 2:
			m.Index, m.Scale = stride, uint8(i)
		case 3:
			m.Index, m.Scale = stride3, 1
		}
		return m
	}
}
