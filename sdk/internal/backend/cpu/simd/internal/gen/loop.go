package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// access is how a loop's body reaches the elements of the current step: whole registers, or the last few elements
// under a mask. Masked loads give zeros in the lanes beyond the end.
type access struct {
	isa
	mask reg.Register // nil for whole registers
	at   reg.Register // index of the step's first element
}

// load reads a step's elements of the array at base.
func (a access) load(base reg.Register) reg.VecVirtual {
	r, m := a.reg(), Mem{Base: base, Index: a.at, Scale: 4}
	switch {
	case a.mask == nil:
		VMOVUPS(m, r)
	case a.wide:
		VMOVUPS_Z(m, a.mask, r)
	default:
		VMASKMOVPS(m, a.mask, r)
	}
	return r
}

// store writes a step's elements.
func (a access) store(r reg.VecVirtual, base reg.Register) {
	m := Mem{Base: base, Index: a.at, Scale: 4}
	switch {
	case a.mask == nil:
		VMOVUPS(r, m)
	case a.wide:
		VMOVUPS(r, a.mask, m)
	default:
		VMASKMOVPS(r, a.mask, m)
	}
}

// clear zeroes the lanes of r beyond the end, before a sum.
func (a access) clear(r reg.VecVirtual) {
	switch {
	case a.mask == nil:
	case a.wide:
		VMOVAPS_Z(r, a.mask, r)
	default:
		VANDPS(a.mask, r, r)
	}
}

// each writes a loop over n elements: body for whole registers, and once more for the remainder.
func (v isa) each(n reg.Register, body func(access)) {
	at := GP64()
	XORQ(at, at)
	left := GP64()
	MOVQ(n, left)
	JMP(LabelRef("whole"))
	Label("step")
	body(access{isa: v, at: at})
	ADDQ(Imm(uint64(v.lanes)), at)
	Label("whole")
	SUBQ(Imm(uint64(v.lanes)), left)
	JGE(LabelRef("step"))
	ADDQ(Imm(uint64(v.lanes)), left)
	JZ(LabelRef("end"))
	body(access{isa: v, at: at, mask: v.tailMask(left)})
	Label("end")
}

// tailMask is the mask of the first n lanes, 0 < n < lanes.
func (v isa) tailMask(n reg.GPVirtual) reg.Register {
	if v.wide {
		ones := GP32()
		MOVL(U32(0xffff), ones)
		BZHIL(n.As32(), ones, ones)
		k := K()
		KMOVW(ones, k)
		return k
	}
	table := maskTable()
	base, from := GP64(), GP64()
	LEAQ(table, base)
	MOVQ(U32(8), from)
	SUBQ(n, from)
	m := YMM()
	VMOVDQU(Mem{Base: base, Index: from, Scale: 4}, m)
	return m
}

var masks *Mem

// maskTable is eight words of ones and eight of zeros.
func maskTable() Mem {
	if masks == nil {
		m := GLOBL("masks", RODATA|NOPTR)
		for i := range 16 {
			word := U32(0)
			if i < 8 {
				word = 0xffffffff
			}
			DATA(4*i, word)
		}
		masks = &m
	}
	return *masks
}

// sum leaves the sum of r's lanes in the lowest one: halves are added until one lane is left.
func (v isa) sum(r reg.VecVirtual) reg.VecVirtual {
	return v.fold(r, func(a, b, c Op) { VADDPS(a, b, c) })
}

// fold combines the lanes of r by f.
func (v isa) fold(r reg.VecVirtual, f func(a, b, c Op)) reg.VecVirtual {
	y := r
	if v.wide {
		high := YMM()
		VEXTRACTF64X4(Imm(1), r, high)
		y = YMM()
		f(r.AsY(), high, y)
	}
	x, high := XMM(), XMM()
	VEXTRACTF128(Imm(1), y.AsY(), high)
	f(y.AsX(), high, x)
	for _, order := range []uint64{0x4e, 0xb1} { // swap pairs, then neighbours
		VPERMILPS(Imm(order), x, high)
		f(x, high, x)
	}
	return x
}

// function starts a kernel; params are its parameters as in Go, doc what it computes.
func (v isa) function(name, params, doc string) {
	TEXT(name+v.name, NOSPLIT, "func("+params)
	Pragma("noescape")
	Doc(name + v.name + " is " + doc)
}

// end finishes a kernel.
func (v isa) end() {
	VZEROUPPER()
	RET()
}

func base(name string) reg.Register   { return Load(Param(name).Base(), GP64()) }
func length(name string) reg.Register { return Load(Param(name).Len(), GP64()) }

// nextTile moves the parameters on to the next rows and goes back to the label tile, if there are any. A loop in Go around one
// tile was 5 to 7% slower over a pass.
func nextTile(rows int, all ...moving) {
	SUBQ(Imm(uint64(rows)), parameter(Param("m")))
	JZ(LabelRef("done"))
	for _, p := range all {
		by := Load(Param(p.stride), GP64())
		IMUL3Q(U32(uint64(rows)*p.size), by, by)
		ADDQ(by, parameter(Param(p.name).Base()))
	}
	JMP(LabelRef("tile"))
	Label("done")
}

// moving is a slice whose rows lie stride elements of size bytes apart.
type moving struct {
	name, stride string
	size         uint64
}

// parameter is where a parameter lies, to be compared or changed there.
func parameter(c gotypes.Component) Mem {
	b, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}
