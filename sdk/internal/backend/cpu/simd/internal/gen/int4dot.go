package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gemmInt4 writes the microkernel of int4 weights for sets with a dot product, whose unsigned operand a nibble is: the
// sums of a run stay in int32, in registers.
func (s int8Set) gemmInt4() {
	v := s.isa
	v.name, v.nv = s.name, int4Columns/s.lanes
	k := newInt4Kernel(v)
	k.eachTile(func(rows int) {
		alloc := s.alloc()
		tile := func() (acc [][]reg.Register) {
			for range int4Rows {
				acc = append(acc, registers(k.nv, alloc))
			}
			return acc[:rows]
		}
		k.acc = tile()
		high := k.acc
		if s.wide { // one vector a row: with one sum each, the low and the high nibbles would wait for one another
			high = tile()
		}
		w, x := registers(k.nv, alloc), alloc()
		k.scratch = int4Scratch{groups: w, scale: x, factor: alloc()}
		k.dotTile(s, rows, high, w, x)
	})
}

func (k int4Kernel) dotTile(s int8Set, rows int, high [][]reg.Register, w []reg.Register, x reg.Register) {
	label := func(what string) string { return fmt.Sprintf("%s%d", what, rows) }
	Label(label("run"))
	for i := range rows {
		for j := range k.nv {
			VPBROADCASTD(k.a.row(i), k.acc[i][j])
			if s.wide {
				VPXORD(high[i][j], high[i][j], high[i][j])
			}
		}
	}
	left := k.nextRun(rows)
	Label(label("octet"))
	for half, acc := range [][][]reg.Register{k.acc, high} {
		k.dotHalf(s, acc, half, w, x)
	}
	k.a.advance(rows, octet)
	ADDQ(Imm(octetBytes), k.w)
	DECQ(left)
	JNZ(LabelRef(label("octet")))
	for i := range rows {
		if s.wide {
			VPADDD(high[i][0], k.acc[i][0], k.acc[i][0])
		}
	}
	k.scaleRun(rows, label)
	TESTQ(k.octets, k.octets)
	JNZ(LabelRef(label("run")))
	k.finish(rows)
}

// dotHalf adds the products of the low or the high nibbles of an octet.
func (k int4Kernel) dotHalf(s int8Set, acc [][]reg.Register, half int, w []reg.Register, x reg.Register) {
	for j := range w {
		VMOVUPS(Mem{Base: k.w, Disp: j * k.bytes()}, w[j])
		if half == 1 {
			VPSRLD(Imm(4), w[j], w[j])
		}
		if s.wide {
			VPANDD(lowNibbles(), w[j], w[j])
		} else {
			VPAND(lowNibbles(), w[j], w[j])
		}
	}
	for i := range acc {
		at := k.a.row(i)
		at.Disp = octet / 2 * half
		VPBROADCASTD(at, x)
		for j := range w {
			s.dot(nil, w[j], []Op{x}, acc[i][j:j+1])
		}
	}
}
