package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The products of int4 weights, a nibble of 0 to 15, with int8 activations: two of them are at most 2 · 15 · 127, so that
// eight such pairs add up in int16, one instruction each, before they are widened.
const (
	octet      = 8
	int4Widen  = 4 // octets between two widenings
	octetBytes = 64

	int4Rows    = 6
	int4Columns = 16
)

// gemmInt4 writes the microkernel of int4 weights: one tile of m <= 6 rows and 16 columns. The 12 sums in int16 leave
// four registers; those of a run in int32 lie on the stack.
func (v isa) gemmInt4() {
	k := newInt4Kernel(v)
	k.sums = AllocLocal(v.mr * v.nv * v.bytes())
	k.eachTile(func(rows int) {
		k.scratch = int4Scratch{groups: registers(v.nv, virtual(v)()), scale: v.reg(), factor: v.reg()}
		k.tile(rows)
	})
}

type int4Kernel struct {
	isa
	sums                        Mem // of a run, in int32
	m, octets, scale, w, groups reg.Register
	runs                        reg.Register // left under this scale
	a                           rowPointers
	scratch                     int4Scratch
	acc                         [][]reg.Register // of a run, where they are in registers
}

// int4Scratch are registers for the float part of a tile.
type int4Scratch struct {
	groups        []reg.Register
	scale, factor reg.Register
}

// newInt4Kernel begins the function and loads its parameters.
func newInt4Kernel(v isa) int4Kernel {
	TEXT("gemmInt4"+v.name, NOSPLIT, "func(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)")
	Pragma("noescape")
	Doc("gemmInt4" + v.name + " is Set.GemmInt4.")
	k := int4Kernel{isa: v, m: Load(Param("m"), GP64()), octets: Load(Param("octets"), GP64())}
	k.a = rowPointers{low: Load(Param("a").Base(), GP64()), stride: Load(Param("as"), GP64())}
	k.a.spread(int4Rows)
	k.scale, k.w, k.groups = base("scale"), base("w"), base("groups")
	k.runs = Load(Param("runs"), GP64())
	return k
}

// eachTile writes the code for each number of rows.
func (k int4Kernel) eachTile(tile func(rows int)) {
	for rows := int4Rows; rows > 1; rows-- {
		CMPQ(k.m, Imm(uint64(rows)))
		JEQ(LabelRef(fmt.Sprintf("rows%d", rows)))
	}
	for rows := 1; rows <= int4Rows; rows++ {
		Label(fmt.Sprintf("rows%d", rows))
		tile(rows)
		k.end()
	}
}

func registers(n int, alloc func() reg.Register) (all []reg.Register) {
	for range n {
		all = append(all, alloc())
	}
	return all
}

// sum is the place of a sum in int32.
func (k int4Kernel) sum(i, j int) Mem { return k.sums.Offset((i*k.nv + j) * k.bytes()) }

func (k int4Kernel) tile(rows int) {
	label := func(what string) string { return fmt.Sprintf("%s%d", what, rows) }
	Label(label("run"))
	for i := range rows {
		term := YMM()
		VPBROADCASTD(k.a.row(i), term)
		for j := range k.nv {
			VMOVDQU(term, k.sum(i, j))
		}
	}
	left := k.nextRun(rows)
	Label(label("part"))
	k.part(rows, left, label)
	TESTQ(left, left)
	JNZ(LabelRef(label("part")))
	k.scaleRun(rows, label)
	TESTQ(k.octets, k.octets)
	JNZ(LabelRef(label("run")))
	k.finish(rows)
}

// nextRun leaves the terms in front of a run behind and takes its octets from those that are left.
func (k int4Kernel) nextRun(rows int) (octets reg.Register) {
	n := GP64()
	k.a.advance(rows, termBytes)
	Load(Param("run"), n)
	CMPQ(n, k.octets)
	CMOVQGT(k.octets, n)
	SUBQ(n, k.octets)
	return n
}

// part adds the products of up to int4Widen of the left octets.
func (k int4Kernel) part(rows int, left reg.Register, label func(string) string) {
	acc := make([][]reg.Register, rows)
	for i := range acc {
		for range k.nv {
			acc[i] = append(acc[i], k.zero())
		}
	}
	n := GP64()
	MOVQ(U32(int4Widen), n)
	CMPQ(n, left)
	CMOVQGT(left, n)
	SUBQ(n, left)
	Label(label("octet"))
	for half := range 2 {
		k.half(acc, half)
	}
	k.a.advance(rows, octet)
	ADDQ(Imm(octetBytes), k.w)
	DECQ(n)
	JNZ(LabelRef(label("octet")))
	for i := range acc {
		for j, r := range acc[i] {
			VPMADDWD(ones16(), r, r)
			VPADDD(k.sum(i, j), r, r)
			VMOVDQU(r, k.sum(i, j))
		}
	}
}

// half adds the products of the low or the high nibbles of an octet.
func (k int4Kernel) half(acc [][]reg.Register, half int) {
	w := make([]reg.Register, k.nv)
	for j := range w {
		w[j] = YMM()
		VMOVDQU(Mem{Base: k.w, Disp: j * k.bytes()}, w[j])
		if half == 1 {
			VPSRLW(Imm(4), w[j], w[j])
		}
		VPAND(lowNibbles(), w[j], w[j])
	}
	for i := range acc {
		at := k.a.row(i)
		at.Disp = octet / 2 * half
		x := YMM()
		VPBROADCASTD(at, x)
		terms := make([]reg.Register, k.nv)
		for j := range terms {
			terms[j] = x
			if j < k.nv-1 {
				terms[j] = YMM()
			}
			VPMADDUBSW(x, w[j], terms[j])
		}
		for j, t := range terms {
			VPADDW(t, acc[i][j], acc[i][j])
		}
	}
}

// scaleRun adds a run's sums, scaled, to C, or stores them there if it is the first; then the next run is in hand.
func (k int4Kernel) scaleRun(rows int, label func(string) string) {
	start, err := Param("groups").Base().Resolve()
	if err != nil {
		panic(err)
	}
	CMPQ(k.groups, start.Addr)
	JNE(LabelRef(label("later")))
	k.addRun(rows, func(_ Mem, factor, r reg.Register) { VMULPS(factor, r, r) })
	JMP(LabelRef(label("added")))
	Label(label("later"))
	k.addRun(rows, func(c Mem, factor, r reg.Register) { VFMADD213PS(c, factor, r) })
	Label(label("added"))
	ADDQ(Imm(uint64(2*k.lanes*k.nv)), k.groups)
	DECQ(k.runs)
	JNZ(LabelRef(label("same")))
	ADDQ(Imm(4), k.scale)
	Load(Param("runs"), k.runs)
	Label(label("same"))
}

// addRun puts add's result in C, for each sum as float32 with its factor.
func (k int4Kernel) addRun(rows int, add func(c Mem, factor, r reg.Register)) {
	groups, scale, factor := k.scratch.groups, k.scratch.scale, k.scratch.factor
	for j := range groups {
		VCVTPH2PS(Mem{Base: k.groups, Disp: 2 * k.lanes * j}, groups[j])
	}
	at, ss := GP64(), k.stride("ss")
	MOVQ(k.scale, at)
	k.eachRow(rows, func(i int, c reg.Register) {
		VBROADCASTSS(Mem{Base: at}, scale)
		if i+1 < rows {
			ADDQ(ss, at)
		}
		for j := range k.nv {
			r, place := k.float(i, j), Mem{Base: c, Disp: j * k.bytes()}
			VMULPS(scale, groups[j], factor)
			add(place, factor, r)
			VMOVUPS(r, place)
		}
	})
}

// float is a sum as float32. A sum on the stack gets a register of its own.
func (k int4Kernel) float(i, j int) reg.Register {
	if k.acc != nil {
		VCVTDQ2PS(k.acc[i][j], k.acc[i][j])
		return k.acc[i][j]
	}
	r := k.reg()
	VCVTDQ2PS(k.sum(i, j), r)
	return r
}

// finish applies the scales of the columns and the bias.
func (k int4Kernel) finish(rows int) {
	columns, bias := base("columns"), base("bias")
	k.eachRow(rows, func(_ int, c reg.Register) {
		for j := range k.nv {
			r, place := k.scratch.factor, Mem{Base: c, Disp: j * k.bytes()}
			VMOVUPS(place, r)
			VMULPS(Mem{Base: columns, Disp: j * k.bytes()}, r, r)
			VADDPS(Mem{Base: bias, Disp: j * k.bytes()}, r, r)
			VMOVUPS(r, place)
		}
	})
}

// eachRow calls f with a pointer to each row of C.
func (k int4Kernel) eachRow(rows int, f func(i int, c reg.Register)) {
	c := Load(Param("c").Base(), GP64())
	cs := k.stride("cs")
	for i := range rows {
		f(i, c)
		if i+1 < rows {
			ADDQ(cs, c)
		}
	}
}

var nibbles *Mem

// lowNibbles is the widest register of bytes 15.
func lowNibbles() Mem {
	if nibbles == nil {
		m := GLOBL("nibbles", RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(0x0f0f0f0f))
		}
		nibbles = &m
	}
	return *nibbles
}

// widenInt4 writes the kernel that turns octets into rows of float32. A weight is (nibble - 8) scale, of which 8 scale is
// exact, so that one multiply-add rounds like the product.
func (v isa) widenInt4() {
	v.function("widenInt4", "dst []float32, src []uint8, scale []float32)", "Set.WidenInt4.")
	dst, src, n := base("dst"), base("src"), length("src")
	scales, less := v.scales(), make([]reg.VecVirtual, v.nv)
	for j := range less {
		less[j] = v.reg()
		VMULPS(constant(-8), scales[j], less[j])
	}
	JMP(LabelRef("check"))
	Label("octet")
	for j := range scales {
		packed := v.reg()
		VMOVUPS(Mem{Base: src, Disp: j * v.bytes()}, packed)
		for row := range octet {
			r, shift := v.reg(), 24-8*(row%4)
			if row < octet/2 {
				shift += 4
			}
			VPSLLD(Imm(uint64(shift)), packed, r)
			VPSRLD(Imm(28), r, r)
			VCVTDQ2PS(r, r)
			VFMADD213PS(less[j], scales[j], r)
			VMOVUPS(r, Mem{Base: dst, Disp: (row*v.nv + j) * v.bytes()})
		}
	}
	ADDQ(Imm(octetBytes), src)
	ADDQ(U32(octet*v.nv*v.bytes()), dst)
	Label("check")
	SUBQ(Imm(octetBytes), n)
	JGE(LabelRef("octet"))
	v.end()
}
