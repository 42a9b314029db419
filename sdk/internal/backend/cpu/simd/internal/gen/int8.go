package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// kGroup is how many terms of a sum lie side by side, for each column of a panel: what one 32-bit lane takes.
const kGroup = 4

// int8Set is how an instruction set multiplies int8.
type int8Set struct {
	isa
	name string
	// offset is added to the activations, which become unsigned: the processor's dot product takes one operand as such.
	offset bool
	// alloc gives the registers: acc of the tile, then weights, then temporaries.
	alloc func() func() reg.Register
	// split takes activations as magnitudes and signs.
	split  bool
	rounds bool         // it needs a quantize of its own: AVX-VNNI takes what the product of pairs takes
	factor reg.Register // the scale of the row in hand
	// dot adds to each accumulator of a row the products of four activations x, the same in all lanes, with w. Without one there
	// is a product of pairs.
	dot func(temp func() reg.Register, x reg.Register, w []Op, acc []reg.Register)
}

var int8Sets = []int8Set{
	{isa: isas[0].withRows(pairRows), name: "AVX2", alloc: virtual(isas[0]), split: true, rounds: true},
	{isa: isas[0].withRows(pairRows), name: "PairsAVX2", alloc: virtual(isas[0]), offset: true, rounds: true},
	{isa: isas[0], name: "AVXVNNI", offset: true, alloc: physical, dot: dotVEX},
	{isa: isas[1], name: "AVX512VNNI", offset: true, rounds: true, alloc: virtual(isas[1]), dot: dotEVEX},
}

// withRows is the set with tiles of so many rows.
func (v isa) withRows(n int) isa {
	v.mr = n
	return v
}

func virtual(v isa) func() func() reg.Register {
	return func() func() reg.Register { return func() reg.Register { return v.reg() } }
}

// physical numbers the registers itself, for instructions that are written as bytes.
func physical() func() reg.Register {
	all := []reg.Register{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
	next := 0
	return func() reg.Register {
		r := all[min(next, len(all)-1)] // the last one is the temporary
		next++
		return r
	}
}

func dotEVEX(_ func() reg.Register, x reg.Register, w []Op, acc []reg.Register) {
	for j := range w {
		Instruction(&ir.Instruction{Opcode: "VPDPBUSD", Operands: []Op{w[j], x, acc[j]},
			Inputs: []Op{w[j], x, acc[j]}, Outputs: []Op{acc[j]}, ISA: []string{"AVX512_VNNI"}})
	}
}

// dotVEX writes VPDPBUSD in the VEX form of AVX-VNNI, which the assembler lacks: 256 bits, 66 0F38 50 /r.
func dotVEX(_ func() reg.Register, x reg.Register, w []Op, acc []reg.Register) {
	for j := range w {
		a, u, s := number(acc[j]), number(x), number(w[j])
		Comment(fmt.Sprintf("{vex} VPDPBUSD Y%d, Y%d, Y%d", s, u, a))
		for _, b := range []byte{0xc4, ^(a>>3<<7)&0x80 | 0x40 | ^(s>>3<<5)&0x20 | 2, ^u&15<<3 | 5, 0x50, 0xc0 | a&7<<3 | s&7} {
			Instruction(&ir.Instruction{Opcode: "BYTE", Operands: []Op{U8(b)}})
		}
	}
}

func number(r Op) byte {
	p, ok := r.(reg.VecPhysical)
	if !ok {
		panic("not a physical register")
	}
	return byte(p.ID() >> 16)
}

// gemm writes the kernel of int8 for nv vectors of columns: rows in tiles of mr or, for a set with a dot product, one tile. The
// sums of a block are integers, exact; they are scaled and added to C in the order of the blocks.
func (s int8Set) gemm() {
	TEXT("gemmInt8"+s.name, NOSPLIT, "func(m, groups, block int, a []uint8, as int, scale []float32, ss int, w []int8, start []int32, columns, bias, c []float32, cs int)")
	Pragma("noescape")
	rows := ""
	if s.dot != nil {
		rows = " for m <= MR"
	}
	Doc("gemmInt8" + s.name + " is Set.GemmInt8" + rows + ".")
	Label("tile")
	m := Load(Param("m"), GP64())
	groups := Load(Param("groups"), GP64())
	a := rowPointers{low: Load(Param("a").Base(), GP64()), stride: Load(Param("as"), GP64())}
	a.spread(s.mr)
	scale, w, start := base("scale"), base("w"), base("start")
	label := func(rows int, what string) string { return fmt.Sprintf("%s%d", what, rows) }
	for rows := s.mr; rows > 1; rows-- {
		CMPQ(m, Imm(uint64(rows)))
		JGE(LabelRef(label(rows, "rows")))
	}
	for rows := 1; rows <= s.mr; rows++ {
		Label(label(rows, "rows"))
		s.tile(rows, groups, a, scale, w, start, func(what string) string { return label(rows, what) })
		if s.dot == nil && rows == s.mr {
			nextTile(rows, moving{"a", "as", 1}, moving{"scale", "ss", 4}, moving{"c", "cs", 4})
		}
		s.end()
	}
}

// rowPointers reach the rows of A with two pointers to move and few index registers.
type rowPointers struct {
	low, high        reg.Register // rows 0 and 6
	stride           reg.Register
	stride3, stride5 reg.Register
}

// half is the row that the second pointer stands on.
const half = 6

func (p *rowPointers) spread(rows int) {
	p.stride3, p.stride5 = GP64(), GP64()
	LEAQ(Mem{Base: p.stride, Index: p.stride, Scale: 2}, p.stride3)
	LEAQ(Mem{Base: p.stride, Index: p.stride, Scale: 4}, p.stride5)
	if rows > half {
		p.high = GP64()
		LEAQ(Mem{Base: p.low, Index: p.stride3, Scale: 2}, p.high)
	}
}

func (p *rowPointers) row(i int) Mem {
	base := p.low
	if i >= half {
		base, i = p.high, i-half
	}
	switch i {
	case 0:
		return Mem{Base: base}
	case 3, 6:
		return Mem{Base: base, Index: p.stride3, Scale: uint8(i / 3)}
	case 5:
		return Mem{Base: base, Index: p.stride5, Scale: 1}
	}
	return Mem{Base: base, Index: p.stride, Scale: uint8(i)}
}

func (p *rowPointers) advance(rows, n int) {
	ADDQ(Imm(uint64(n)), p.low)
	if rows > half {
		ADDQ(Imm(uint64(n)), p.high)
	}
}

// tile writes the code for a number of rows.
func (s int8Set) tile(rows int, groups reg.Register, a rowPointers, scale, w, start reg.Register, label func(string) string) {
	alloc := s.alloc()
	acc := make([][]reg.Register, rows)
	for i := range s.mr {
		for range s.nv {
			if r := alloc(); i < rows {
				acc[i] = append(acc[i], r)
			}
		}
	}
	weights := make([]Op, s.nv)
	for j := range weights {
		weights[j] = alloc()
	}
	Label(label("block"))
	s.begin(acc, a, start)
	n, left := GP64(), GP64()
	Load(Param("block"), n)
	CMPQ(n, groups)
	CMOVQGT(groups, n)
	MOVQ(n, left)
	if s.dot == nil {
		s.pairGroups(acc, weights, left, a, w, label)
	} else {
		s.groups(acc, weights, alloc, left, a, w, label)
	}

	CMPQ(groups, parameter(Param("groups")))
	JNE(LabelRef(label("later")))
	s.scale(acc, alloc, scale, false)
	JMP(LabelRef(label("scaled")))
	Label(label("later"))
	s.scale(acc, alloc, scale, true)
	Label(label("scaled"))
	CMPQ(n, groups)
	JNE(LabelRef(label("store")))
	s.finish(acc, alloc, weights)
	Label(label("store"))
	s.rows(acc, func(at Mem, r reg.Register) { VMOVUPS(r, at) })
	ADDQ(Imm(4), scale)
	ADDQ(Imm(uint64(s.nv*s.bytes())), start)
	SUBQ(n, groups)
	JNZ(LabelRef(label("block")))
}

// begin sets the sums to where they start.
func (s int8Set) begin(acc [][]reg.Register, a rowPointers, start reg.Register) {
	for i := range acc {
		if s.split {
			VPBROADCASTD(a.row(i), acc[i][0])
		}
		for j := len(acc[i]) - 1; j >= 0; j-- {
			from := Mem{Base: start, Disp: j * s.bytes()}
			if s.split {
				VPADDD(from, acc[i][0], acc[i][j])
			} else {
				VMOVUPS(from, acc[i][j])
			}
		}
	}
	if s.split {
		a.advance(len(acc), termBytes)
	}
}

// groups adds the products of the left groups of a block.
func (s int8Set) groups(acc [][]reg.Register, weights []Op, alloc func() reg.Register, left reg.Register, a rowPointers, w reg.Register, label func(string) string) {
	Label(label("group"))
	for j, r := range weights {
		VMOVUPS(Mem{Base: w, Disp: j * s.bytes()}, r)
	}
	for i := range acc {
		x := alloc()
		VPBROADCASTD(a.row(i), x)
		s.dot(alloc, x, weights, acc[i])
	}
	a.advance(len(acc), kGroup)
	ADDQ(Imm(uint64(s.nv*s.bytes())), w)
	DECQ(left)
	JNZ(LabelRef(label("group")))
}

// scale turns the sums of a block into floats times the row's scale, plus what C holds from the blocks before.
func (s int8Set) scale(acc [][]reg.Register, alloc func() reg.Register, scale reg.Register, add bool) {
	at, ss := GP64(), s.stride("ss")
	MOVQ(scale, at)
	row := 0
	s.rows(acc, func(c Mem, r reg.Register) {
		if row%s.nv == 0 {
			s.factor = alloc()
			VBROADCASTSS(Mem{Base: at}, s.factor)
			if row/s.nv+1 < len(acc) {
				ADDQ(ss, at)
			}
		}
		row++
		VCVTDQ2PS(r, r)
		if add {
			VFMADD213PS(c, s.factor, r)
		} else {
			VMULPS(s.factor, r, r)
		}
	})
}

// finish applies the scales of the columns and the bias.
func (s int8Set) finish(acc [][]reg.Register, alloc func() reg.Register, weights []Op) {
	columns, bias := base("columns"), base("bias")
	for j := range s.nv {
		scale := weights[j]
		VMOVUPS(Mem{Base: columns, Disp: j * s.bytes()}, scale)
		for i := range acc {
			VFMADD213PS(Mem{Base: bias, Disp: j * s.bytes()}, scale, acc[i][j])
		}
	}
}
