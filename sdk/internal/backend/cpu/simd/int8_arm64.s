#include "textflag.h"
#include "neon_arm64.h"
#include "tile_arm64.h"
#include "int8_arm64.h"

// The integer products of a tile of 6 x 16, in the order of the blocks of columns; see Set.GemmInt8. Sums are exact, so
// that they equal those of plain Go whatever the instructions.
//
// For eight terms of the sums of a tile, vector instructions and loads of the inner loop: gemmNEON on floats 192 and 80,
// gemmInt8NEON 144 and 60, gemmInt8DotProd 48 and 20, gemmInt8I8MM 27 and 14.

// OPERANDS loads the parameters that all three keep in the same registers.
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

#define DOT(x, c) SDOT0(x, 0, c); SDOT0(x, 1, c+1); SDOT0(x, 2, c+2); SDOT0(x, 3, c+3)

// func gemmInt8DotProd(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)
//
// Groups of four terms: sixteen columns in V0 to V3, four bytes each; four bytes of a row of A in V4 to V7.
TEXT ·gemmInt8DotProd(SB), NOSPLIT, $0-216
	OPERANDS
	EMPTY
	POINTERS
	MOVD $0, R9 // offset of the current group in every row

block:
	BLOCK
	VLD1 (R15), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1 (R15), [V12.S4, V13.S4, V14.S4, V15.S4]
	VLD1 (R15), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1 (R15), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1 (R15), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1.P 64(R15), [V28.S4, V29.S4, V30.S4, V31.S4]

group:
	VLD1.P 64(R11), [V0.B16, V1.B16, V2.B16, V3.B16]
	FMOVS (R0)(R9), F4
	FMOVS (R1)(R9), F5
	FMOVS (R2)(R9), F6
	FMOVS (R3)(R9), F7
	DOT(4, 8)
	FMOVS (R4)(R9), F4
	DOT(5, 12)
	FMOVS (R5)(R9), F5
	DOT(6, 16)
	DOT(7, 20)
	DOT(4, 24)
	DOT(5, 28)
	ADD $4, R9
	SUBS $1, R13
	BNE group

	SCALE
	SCALED(8, 9, 10, 11)
	BREAK(1)
	SCALED(12, 13, 14, 15)
	BREAK(2)
	SCALED(16, 17, 18, 19)
	BREAK(3)
	SCALED(20, 21, 22, 23)
	BREAK(4)
	SCALED(24, 25, 26, 27)
	BREAK(5)
	SCALED(28, 29, 30, 31)

scaled:
	CBNZ R12, block
	MOVD columns_base+136(FP), R21
	MOVD bias_base+160(FP), R22
	FINISH
	RET

// BEGIN starts the sums of two rows with V0 to V3, two columns to a register.
#define BEGIN(c0, c1, c2, c3, c4, c5, c6, c7) \
	VDUP V0.D[0], c0.D2 \
	VDUP V0.D[1], c1.D2 \
	VDUP V1.D[0], c2.D2 \
	VDUP V1.D[1], c3.D2 \
	VDUP V2.D[0], c4.D2 \
	VDUP V2.D[1], c5.D2 \
	VDUP V3.D[0], c6.D2 \
	VDUP V3.D[1], c7.D2

// func gemmInt8I8MM(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)
//
// Groups of eight terms: rows of A by twos in V0 to V2, columns by twos in V4 to V7.
TEXT ·gemmInt8I8MM(SB), NOSPLIT, $0-216
	OPERANDS
	EMPTY
	POINTERS
	MOVD $0, R9 // offset of the current group in every row

block:
	BLOCK
	VLD1.P 64(R15), [V0.S4, V1.S4, V2.S4, V3.S4]
	BEGIN(V8, V9, V10, V11, V12, V13, V14, V15)
	BEGIN(V16, V17, V18, V19, V20, V21, V22, V23)
	BEGIN(V24, V25, V26, V27, V28, V29, V30, V31)

group:
	PAIR(R0, R1, F0, V0)
	PAIR(R2, R3, F1, V1)
	PAIR(R4, R5, F2, V2)
	VLD1.P 64(R11), [V4.B16, V5.B16, V6.B16, V7.B16]
	COLUMNS(4, 0)
	COLUMNS(5, 1)
	COLUMNS(6, 2)
	COLUMNS(7, 3)
	VLD1.P 64(R11), [V4.B16, V5.B16, V6.B16, V7.B16]
	COLUMNS(4, 4)
	COLUMNS(5, 5)
	COLUMNS(6, 6)
	COLUMNS(7, 7)
	ADD $8, R9
	SUBS $1, R13
	BNE group

	SCALE
	PART(8)
	SCALED(7, 8, 10, 12)
	BREAK(1)
	SCALED(9, 11, 13, 15)
	BREAK(2)
	PART(16)
	SCALED(7, 16, 18, 20)
	BREAK(3)
	SCALED(17, 19, 21, 23)
	BREAK(4)
	PART(24)
	SCALED(7, 24, 26, 28)
	BREAK(5)
	SCALED(25, 27, 29, 31)

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
	TWICE(0, 64, 4, 5, c) \
	TWICE(16, 80, 6, 7, c+2) \
	TWICE(32, 96, 4, 5, c+4) \
	TWICE(48, 112, 6, 7, c+6)

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
	ONCE(32, 4, 5, c+4) \
	ONCE(48, 6, 7, c+6)

// HALVES starts the sums of a row with V0 to V3. Each sum is in two lanes.
#define HALVES(c0, c1, c2, c3, c4, c5, c6, c7) \
	VZIP1 V4.S4, V0.S4, c0.S4 \
	VZIP2 V4.S4, V0.S4, c1.S4 \
	VZIP1 V4.S4, V1.S4, c2.S4 \
	VZIP2 V4.S4, V1.S4, c3.S4 \
	VZIP1 V4.S4, V2.S4, c4.S4 \
	VZIP2 V4.S4, V2.S4, c5.S4 \
	VZIP1 V4.S4, V3.S4, c6.S4 \
	VZIP2 V4.S4, V3.S4, c7.S4

// JOIN adds the two halves of each sum of a row.
#define JOIN(c) \
	ADDP(c+1, c, c) \
	ADDP(c+3, c+2, c+2) \
	ADDP(c+5, c+4, c+4) \
	ADDP(c+7, c+6, c+6) \
	SCALED(c, c+2, c+4, c+6)

// func gemmInt8NEON(m, groups, block int, a []uint8, as int, scale []float32, ss int, b []int8, start []int32, columns, bias, c []float32, cs int)
//
// Groups of four terms. A column's sum is in two lanes, so that the accumulators hold three rows; the other three are a
// second pass.
TEXT ·gemmInt8NEON(SB), NOSPLIT, $0-216
	OPERANDS
	MOVD R8, R7   // rows left
	MOVD R0, R23  // of this pass: A
	MOVD R14, R24 // and its scales

pass:
	MOVD $3, R10
	CMP R10, R7
	CSEL LT, R7, R10, R8
	EMPTY
	MOVD R23, R0
	NEXT(1, R0, R1)
	NEXT(2, R1, R2)
	MOVD groups+8(FP), R12
	MOVD R24, R14
	MOVD b_base+88(FP), R11
	MOVD start_base+112(FP), R15

block:
	BLOCK
	VLD1.P 64(R15), [V0.S4, V1.S4, V2.S4, V3.S4]
	VEOR V4.B16, V4.B16, V4.B16
	HALVES(V8, V9, V10, V11, V12, V13, V14, V15)
	HALVES(V16, V17, V18, V19, V20, V21, V22, V23)
	HALVES(V24, V25, V26, V27, V28, V29, V30, V31)
	SUBS $2, R13
	BLT odd

two:
	ROW_TWICE(R0, 8)
	ROW_TWICE(R1, 16)
	ROW_TWICE(R2, 24)
	ADD $128, R11
	SUBS $2, R13
	BGE two

odd:
	ADDS $2, R13
	BEQ sums
	ROW_ONCE(R0, 8)
	ROW_ONCE(R1, 16)
	ROW_ONCE(R2, 24)
	ADD $64, R11

sums:
	SCALE
	JOIN(8)
	BREAK(1)
	JOIN(16)
	BREAK(2)
	JOIN(24)

scaled:
	CBNZ R12, block
	MOVD columns_base+136(FP), R21
	MOVD bias_base+160(FP), R22
	FINISH
	SUBS R8, R7
	BEQ done
	MOVD R21, R16
	ADD R9<<1, R9, R10
	ADD R10, R23
	ADD R19<<1, R19, R10
	ADD R10, R24
	B pass

done:
	RET
