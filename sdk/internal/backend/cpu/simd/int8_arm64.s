#include "textflag.h"
#include "neon_arm64.h"
#include "tile_arm64.h"
#include "int8_arm64.h"

// The integer products of a tile of 8 x 12, in the order of the blocks of columns; see Set.GemmInt8. Sums are exact, so
// that they equal those of plain Go whatever the instructions.
//
// For eight terms of the sums of a tile, vector instructions and loads of the inner loop: gemmNEON on floats 192 and 88,
// gemmInt8NEON 144 and 64, gemmInt8DotProd 48 and 22, gemmInt8I8MM 28 and 14.

// OPERANDS loads what all three have in common; C is empty then.
#define OPERANDS \
	MOVD m+0(FP), R8 \
	MOVD groups+8(FP), R12 \
	MOVD block+16(FP), R20 \
	MOVD a_base+24(FP), R0 \
	MOVD as+48(FP), R9 \
	MOVD scale_base+56(FP), R14 \
	MOVD ss+80(FP), R19 \
	LSL $2, R19 \
	MOVD b_base+88(FP), R11 \
	MOVD start_base+112(FP), R15 \
	MOVD c_base+184(FP), R16 \
	MOVD cs+208(FP), R17 \
	LSL $2, R17

// BLOCK sets R13 to the groups of the next block and takes them from R12.
#define BLOCK \
	CMP R20, R12 \
	CSEL LT, R12, R20, R13 \
	SUB R13, R12

#define DOT(x, c0, c1, c2) SDOT0(x, 0, c0); SDOT0(x, 1, c1); SDOT0(x, 2, c2)

// func gemmInt8DotProd(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)
//
// Groups of four terms: a row of V0 to V2 is twelve columns, four bytes each; elements of A in V3 to V6.
TEXT ·gemmInt8DotProd(SB), NOSPLIT, $0-216
	OPERANDS
	EMPTY
	POINTERS
	MOVD $0, R9 // offset of the current group in every row

block:
	BLOCK
	CLEAR_TILE

group:
	VLD1.P 48(R11), [V0.B16, V1.B16, V2.B16]
	FMOVS (R0)(R9), F3
	FMOVS (R1)(R9), F4
	FMOVS (R2)(R9), F5
	FMOVS (R3)(R9), F6
	DOT(3, 8, 9, 10)
	FMOVS (R4)(R9), F3
	DOT(4, 11, 12, 13)
	FMOVS (R5)(R9), F4
	DOT(5, 14, 15, 16)
	FMOVS (R6)(R9), F5
	DOT(6, 17, 18, 19)
	FMOVS (R7)(R9), F6
	DOT(3, 20, 21, 22)
	DOT(4, 23, 24, 25)
	DOT(5, 26, 27, 28)
	DOT(6, 29, 30, 31)
	ADD $4, R9
	SUBS $1, R13
	BNE group

	SCALE
	SCALED(8, 9, 10)
	BREAK(1)
	SCALED(11, 12, 13)
	BREAK(2)
	SCALED(14, 15, 16)
	BREAK(3)
	SCALED(17, 18, 19)
	BREAK(4)
	SCALED(20, 21, 22)
	BREAK(5)
	SCALED(23, 24, 25)
	BREAK(6)
	SCALED(26, 27, 28)
	BREAK(7)
	SCALED(29, 30, 31)

scaled:
	CBNZ R12, block
	MOVD columns_base+136(FP), R21
	MOVD bias_base+160(FP), R22
	FINISH
	RET

// PAIR loads eight terms of two rows, one above the other.
#define PAIR(r0, r1, f, v) \
	FMOVD (r0)(R9), f \
	FMOVD (r1)(R9), F4 \
	VMOV V4.D[0], v.D[1]

// COLUMNS adds the products of all rows with two columns, V{b}.
#define COLUMNS(b, q) \
	SMMLA(b, 0, 8+q) \
	SMMLA(b, 1, 14+q) \
	SMMLA(b, 2, 20+q) \
	SMMLA(b, 3, 26+q)

// PART turns the sums of two rows, 2 x 2 in each of V{b} to V{b+5}, into rows: V7, V{b} and V{b+2}, and V{b+1}, V{b+3}
// and V{b+5}.
#define PART(b) \
	TRN1D(b+1, b, 7) \
	TRN2D(b+1, b, b+1) \
	TRN1D(b+3, b+2, b) \
	TRN2D(b+3, b+2, b+3) \
	TRN1D(b+5, b+4, b+2) \
	TRN2D(b+5, b+4, b+5)

// func gemmInt8I8MM(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)
//
// Groups of eight terms: rows of A by twos in V0 to V3, columns by twos in V4 to V7.
TEXT ·gemmInt8I8MM(SB), NOSPLIT, $0-216
	OPERANDS
	EMPTY
	POINTERS
	MOVD $0, R9 // offset of the current group in every row

block:
	BLOCK
	CLEAR_TILE

group:
	PAIR(R0, R1, F0, V0)
	PAIR(R2, R3, F1, V1)
	PAIR(R4, R5, F2, V2)
	PAIR(R6, R7, F3, V3)
	VLD1.P 64(R11), [V4.B16, V5.B16, V6.B16, V7.B16]
	COLUMNS(4, 0)
	COLUMNS(5, 1)
	COLUMNS(6, 2)
	COLUMNS(7, 3)
	VLD1.P 32(R11), [V4.B16, V5.B16]
	COLUMNS(4, 4)
	COLUMNS(5, 5)
	ADD $8, R9
	SUBS $1, R13
	BNE group

	SCALE
	PART(8)
	SCALED(7, 8, 10)
	BREAK(1)
	SCALED(9, 11, 13)
	BREAK(2)
	PART(14)
	SCALED(7, 14, 16)
	BREAK(3)
	SCALED(15, 17, 19)
	BREAK(4)
	PART(20)
	SCALED(7, 20, 22)
	BREAK(5)
	SCALED(21, 23, 25)
	BREAK(6)
	PART(26)
	SCALED(7, 26, 28)
	BREAK(7)
	SCALED(27, 29, 31)

scaled:
	CBNZ R12, block
	MOVD columns_base+136(FP), R21
	MOVD bias_base+160(FP), R22
	FINISH
	RET

// TWICE multiplies eight terms of a row, four in V0 and four in V1, with four columns of a panel, at and next bytes from
// R11, and adds the products by twos to V{c} and V{c+1}. Two products fit an int16, as no operand is -128.
#define TWICE(at, next, t, u, c) \
	FMOVQ at(R11), F2 \
	FMOVQ next(R11), F3 \
	SMULL(0, 2, t) \
	SMULL2(0, 2, u) \
	SMLAL(1, 3, t) \
	SMLAL2(1, 3, u) \
	SADALP(t, c) \
	SADALP(u, c+1)

#define ROW_TWICE(r, c) \
	VLD1R.P 4(r), [V0.S4] \
	VLD1R.P 4(r), [V1.S4] \
	TWICE(0, 48, 4, 5, c) \
	TWICE(16, 64, 6, 7, c+2) \
	TWICE(32, 80, 4, 5, c+4)

#define ONCE(at, t, u, c) \
	FMOVQ at(R11), F2 \
	SMULL(0, 2, t) \
	SMULL2(0, 2, u) \
	SADALP(t, c) \
	SADALP(u, c+1)

#define ROW_ONCE(r, c) \
	VLD1R.P 4(r), [V0.S4] \
	ONCE(0, 4, 5, c) \
	ONCE(16, 6, 7, c+2) \
	ONCE(32, 4, 5, c+4)

// JOIN adds the two halves of each sum of a row: columns 0 to 3 in V{c}, then V{c+2} and V{c+4}.
#define JOIN(c) \
	ADDP(c+1, c, c) \
	ADDP(c+3, c+2, c+2) \
	ADDP(c+5, c+4, c+4) \
	SCALED(c, c+2, c+4)

// func gemmInt8NEON(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)
//
// Groups of four terms. A column's sum is in two lanes, so that the accumulators hold four rows; the other four are a
// second pass.
TEXT ·gemmInt8NEON(SB), NOSPLIT, $0-216
	OPERANDS
	MOVD R8, R7   // rows left
	MOVD R0, R23  // of this pass: A
	MOVD R14, R24 // and its scales

pass:
	MOVD $4, R10
	CMP R10, R7
	CSEL LT, R7, R10, R8
	EMPTY
	MOVD R23, R0
	NEXT(1, R0, R1)
	NEXT(2, R1, R2)
	NEXT(3, R2, R3)
	MOVD groups+8(FP), R12
	MOVD R24, R14
	MOVD b_base+88(FP), R11
	MOVD start_base+112(FP), R15

block:
	BLOCK
	CLEAR_TILE
	SUBS $2, R13
	BLT odd

two:
	ROW_TWICE(R0, 8)
	ROW_TWICE(R1, 14)
	ROW_TWICE(R2, 20)
	ROW_TWICE(R3, 26)
	ADD $96, R11
	SUBS $2, R13
	BGE two

odd:
	ADDS $2, R13
	BEQ sums
	ROW_ONCE(R0, 8)
	ROW_ONCE(R1, 14)
	ROW_ONCE(R2, 20)
	ROW_ONCE(R3, 26)
	ADD $48, R11

sums:
	SCALE
	JOIN(8)
	BREAK(1)
	JOIN(14)
	BREAK(2)
	JOIN(20)
	BREAK(3)
	JOIN(26)

scaled:
	CBNZ R12, block
	MOVD columns_base+136(FP), R21
	MOVD bias_base+160(FP), R22
	FINISH
	SUBS R8, R7
	BEQ done
	MOVD R21, R16
	ADD R9<<2, R23
	ADD R19<<2, R24
	B pass

done:
	RET
