// Gen writes the vector kernels of package simd for amd64: AVX2 with FMA, and AVX-512.
//
// Each kernel is described once, for an instruction set with so many lanes and registers; run by go generate.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is an instruction set as the kernels see it.
type isa struct {
	name  string // suffix of every function
	lanes int    // float32 elements of a register
	wide  bool   // AVX-512: mask registers and the EVEX forms
	mr    int    // rows of the GEMM tile: mr x nv accumulators, nv vectors of B and one of A fit the register file
	nv    int    // vectors in a row of the GEMM tile
}

var isas = []isa{
	{name: "AVX2", lanes: 8, mr: 6, nv: 2},
	// 13 rows: the 65 tokens of an 8 x 8 grid with its class token are 5 tiles without remainder.
	{name: "AVX512", lanes: 16, wide: true, mr: 13, nv: 2},
}

func main() {
	for _, v := range isas {
		v.gemm()
		v.widenInt8()
		v.widenHalf()
		v.arithmetic()
		v.reductions()
		v.softmax()
		v.geluKernels()
		v.layerNorm()
	}
	for _, s := range int8Sets {
		s.gemm()
		if s.rounds {
			s.quantize()
		}
	}
	sumInt8()
	isas[0].gemmInt4()
	for _, s := range int8Sets {
		if s.dot != nil {
			s.gemmInt4()
		}
	}
	isas[0].widenInt4()
	int8Sets[0].quantizeTerms()
	transpose()
	Generate()
}

// bytes is the size of a register.
func (v isa) bytes() int { return 4 * v.lanes }

// reg allocates a vector register.
func (v isa) reg() reg.VecVirtual {
	if v.wide {
		return ZMM()
	}
	return YMM()
}

// zero makes a register of zeros.
func (v isa) zero() reg.VecVirtual {
	r := v.reg()
	if v.wide {
		VPXORD(r, r, r)
	} else {
		VXORPS(r, r, r)
	}
	return r
}

// broadcast fills a register with the float32 parameter name.
func (v isa) broadcast(name string) reg.VecVirtual {
	r := v.reg()
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, r)
	return r
}

// constants are the broadcast constants that exist, by value.
var constants = map[uint32]Mem{}

// constant is a memory operand that holds x in every lane of the widest register.
func constant(x float32) Mem {
	m, ok := constants[math.Float32bits(x)]
	if !ok {
		m = GLOBL("lanes"+suffix(len(constants)), RODATA|NOPTR)
		for i := range 16 {
			DATA(4*i, U32(math.Float32bits(x))) // as bits: a mask may be no number
		}
		constants[math.Float32bits(x)] = m
	}
	return m
}

func suffix(i int) string { return string(rune('A'+i/26)) + string(rune('A'+i%26)) }
