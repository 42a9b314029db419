#include "textflag.h"
#include "neon_arm64.h"
#include "tile_arm64.h"
#include "int8_arm64.h"

// The products of int4 weights, nibbles of 0 to 15, with a tile of 6 x 16; see Set.GemmInt4. The sum of a run starts with
// the term in front of its activations, so that what makes a nibble unsigned is gone at its end.
//
// For eight terms of the sums of a tile, vector instructions and loads of the inner loop: gemmInt4NEON 192 and 36,
// gemmInt4DotProd 59 and 10, gemmInt4I8MM 43 and 10.

#define OPERANDS4 \
	MOVD m+0(FP), R8 \
	MOVD octets+8(FP), R12 \
	MOVD run+16(FP), R20 \
	MOVD runs+24(FP), R25 \
	MOVD a_base+32(FP), R0 \
	MOVD as+56(FP), R9 \
	MOVD scale_base+64(FP), R14 \
	MOVD ss+88(FP), R19 \
	LSL $2, R19 \
	MOVD w_base+96(FP), R11 \
	MOVD groups_base+120(FP), R15 \
	MOVD c_base+192(FP), R16 \
	MOVD cs+216(FP), R17 \
	LSL $2, R17

// LOW_HALVES fills V7 with the mask of low nibbles.
#define LOW_HALVES VMOVI $15, V7.B16

// FACTORS prepares SCALED4 for the run that ends: the first row of C in R21, its scale in R22, the scales of the weights in
// V3 to V6. R25 counts the runs left under this scale.
#define FACTORS \
	MOVD R16, R21 \
	MOVD R14, R22 \
	VLD1.P 32(R15), [V1.H8, V2.H8] \
	FCVTL(1, 3) \
	FCVTL2(1, 4) \
	FCVTL(2, 5) \
	FCVTL2(2, 6) \
	SUBS $1, R25 \
	BNE same \
	ADD $4, R14 \
	MOVD runs+24(FP), R25 \
same:

#define SCALED_QUAD(at, factor, v) \
	FMOVQ at(R21), F1 \
	FMUL(factor, 0, 2) \
	SCVTF(v, v) \
	FMLA(2, v, 1) \
	FMOVQ F1, at(R21)

// SCALED4 adds the sums of a row, V{v0} to V{v3}, to C.
#define SCALED4(v0, v1, v2, v3) \
	VLD1R (R22), [V0.S4] \
	SCALED_QUAD(0, 3, v0) \
	SCALED_QUAD(16, 4, v1) \
	SCALED_QUAD(32, 5, v2) \
	SCALED_QUAD(48, 6, v3) \
	ADD R17, R21 \
	ADD R19, R22

// TERM starts the sums of a row.
#define TERM(r, v0, v1, v2, v3) \
	ADD R9, r, R21 \
	VLD1R (R21), [v0.S4] \
	VLD1R (R21), [v1.S4] \
	VLD1R (R21), [v2.S4] \
	VLD1R (R21), [v3.S4]

// QUAD4 adds the products of an octet of all rows with four columns.
#define QUAD4(c) \
	FMOVQ.P 16(R11), F0 \
	VAND V7.B16, V0.B16, V1.B16 \
	VUSHR $4, V0.B16, V0.B16 \
	SDOT0(4, 1, 8+c) \
	SDOT2(4, 1, 12+c) \
	SDOT0(5, 1, 16+c) \
	SDOT2(5, 1, 20+c) \
	SDOT0(6, 1, 24+c) \
	SDOT2(6, 1, 28+c) \
	SDOT1(4, 0, 8+c) \
	SDOT3(4, 0, 12+c) \
	SDOT1(5, 0, 16+c) \
	SDOT3(5, 0, 20+c) \
	SDOT1(6, 0, 24+c) \
	SDOT3(6, 0, 28+c)

// func gemmInt4DotProd(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)
//
// Eight bytes of rows of A by twos in V4 to V6.
TEXT ·gemmInt4DotProd(SB), NOSPLIT, $0-224
	OPERANDS4
	EMPTY
	POINTERS
	MOVD $0, R9 // offset in every row

run:
	BLOCK
	LOW_HALVES
	TERM(R0, V8, V9, V10, V11)
	TERM(R1, V12, V13, V14, V15)
	TERM(R2, V16, V17, V18, V19)
	TERM(R3, V20, V21, V22, V23)
	TERM(R4, V24, V25, V26, V27)
	TERM(R5, V28, V29, V30, V31)
	ADD $4, R9

octet:
	PAIR(R0, R1, F4, V4)
	PAIR(R2, R3, F5, V5)
	PAIR(R4, R5, F6, V6)
	QUAD4(0)
	QUAD4(1)
	QUAD4(2)
	QUAD4(3)
	ADD $8, R9
	SUBS $1, R13
	BNE octet

	FACTORS
	SCALED4(8, 9, 10, 11)
	BREAK(1)
	SCALED4(12, 13, 14, 15)
	BREAK(2)
	SCALED4(16, 17, 18, 19)
	BREAK(3)
	SCALED4(20, 21, 22, 23)
	BREAK(4)
	SCALED4(24, 25, 26, 27)
	BREAK(5)
	SCALED4(28, 29, 30, 31)

scaled:
	CBNZ R12, run
	MOVD columns_base+144(FP), R21
	MOVD bias_base+168(FP), R22
	FINISH
	RET

// TERMS starts the sums of two rows, two columns to a register.
#define TERMS(r0, r1, b) \
	ADD R9, r0, R21 \
	VLD1R (R21), [V0.S4] \
	ADD R9, r1, R21 \
	VLD1R (R21), [V1.S4] \
	TRN1D(1, 0, b) \
	TRN1D(1, 0, b+1) \
	TRN1D(1, 0, b+2) \
	TRN1D(1, 0, b+3) \
	TRN1D(1, 0, b+4) \
	TRN1D(1, 0, b+5) \
	TRN1D(1, 0, b+6) \
	TRN1D(1, 0, b+7)

// COLUMNS4 adds the products of an octet of all rows with four columns, whose eight nibbles each it puts side by side.
#define COLUMNS4(q) \
	FMOVQ.P 16(R11), F3 \
	VAND V7.B16, V3.B16, V4.B16 \
	VUSHR $4, V3.B16, V3.B16 \
	VZIP1 V3.S4, V4.S4, V5.S4 \
	VZIP2 V3.S4, V4.S4, V6.S4 \
	COLUMNS(5, q) \
	COLUMNS(6, q+1)

// func gemmInt4I8MM(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)
//
// Rows of A by twos in V0 to V2, columns by twos in V5 and V6.
TEXT ·gemmInt4I8MM(SB), NOSPLIT, $0-224
	OPERANDS4
	EMPTY
	POINTERS
	MOVD $0, R9 // offset in every row

run:
	BLOCK
	LOW_HALVES
	TERMS(R0, R1, 8)
	TERMS(R2, R3, 16)
	TERMS(R4, R5, 24)
	ADD $4, R9

octet:
	PAIR(R0, R1, F0, V0)
	PAIR(R2, R3, F1, V1)
	PAIR(R4, R5, F2, V2)
	COLUMNS4(0)
	COLUMNS4(2)
	COLUMNS4(4)
	COLUMNS4(6)
	ADD $8, R9
	SUBS $1, R13
	BNE octet

	FACTORS
	PART(8)
	SCALED4(7, 8, 10, 12)
	BREAK(1)
	SCALED4(9, 11, 13, 15)
	BREAK(2)
	PART(16)
	SCALED4(7, 16, 18, 20)
	BREAK(3)
	SCALED4(17, 19, 21, 23)
	BREAK(4)
	PART(24)
	SCALED4(7, 24, 26, 28)
	BREAK(5)
	SCALED4(25, 27, 29, 31)

scaled:
	CBNZ R12, run
	MOVD columns_base+144(FP), R21
	MOVD bias_base+168(FP), R22
	FINISH
	RET

// HALF_TERM starts the sums of a row. Each sum is in two lanes.
#define HALF_TERM(r, c0, c1, c2, c3, c4, c5, c6, c7) \
	VLD1R.P 4(r), [V0.S4] \
	VZIP1 V4.S4, V0.S4, c0.S4 \
	VZIP1 V4.S4, V0.S4, c1.S4 \
	VZIP1 V4.S4, V0.S4, c2.S4 \
	VZIP1 V4.S4, V0.S4, c3.S4 \
	VZIP1 V4.S4, V0.S4, c4.S4 \
	VZIP1 V4.S4, V0.S4, c5.S4 \
	VZIP1 V4.S4, V0.S4, c6.S4 \
	VZIP1 V4.S4, V0.S4, c7.S4

// NIBBLES multiplies eight terms of a row, four in V0 and four in V1, with four columns, and adds the products by twos to
// V{c} and V{c+1}.
#define NIBBLES(at, c) \
	FMOVQ at(R11), F2 \
	VUSHR $4, V2.B16, V3.B16 \
	VAND V7.B16, V2.B16, V2.B16 \
	SMULL(0, 2, 4) \
	SMULL2(0, 2, 5) \
	SMLAL(1, 3, 4) \
	SMLAL2(1, 3, 5) \
	SADALP(4, c) \
	SADALP(5, c+1)

#define ROW_NIBBLES(r, c) \
	VLD1R.P 4(r), [V0.S4] \
	VLD1R.P 4(r), [V1.S4] \
	NIBBLES(0, c) \
	NIBBLES(16, c+2) \
	NIBBLES(32, c+4) \
	NIBBLES(48, c+6)

// JOIN4 adds the two halves of each sum of a row.
#define JOIN4(c) \
	ADDP(c+1, c, c) \
	ADDP(c+3, c+2, c+2) \
	ADDP(c+5, c+4, c+4) \
	ADDP(c+7, c+6, c+6) \
	SCALED4(c, c+2, c+4, c+6)

// func gemmInt4NEON(m, octets, run, runs int, a []uint8, as int, scale []float32, ss int, w []uint8, groups []uint16, columns, bias, c []float32, cs int)
//
// As gemmInt8NEON: three rows, and the other three in a second pass.
TEXT ·gemmInt4NEON(SB), NOSPLIT, $0-224
	OPERANDS4
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
	MOVD octets+8(FP), R12
	MOVD runs+24(FP), R25
	MOVD R24, R14
	MOVD w_base+96(FP), R11
	MOVD groups_base+120(FP), R15

run:
	BLOCK
	LOW_HALVES
	VEOR V4.B16, V4.B16, V4.B16
	HALF_TERM(R0, V8, V9, V10, V11, V12, V13, V14, V15)
	HALF_TERM(R1, V16, V17, V18, V19, V20, V21, V22, V23)
	HALF_TERM(R2, V24, V25, V26, V27, V28, V29, V30, V31)

octet:
	ROW_NIBBLES(R0, 8)
	ROW_NIBBLES(R1, 16)
	ROW_NIBBLES(R2, 24)
	ADD $64, R11
	SUBS $1, R13
	BNE octet

	FACTORS
	JOIN4(8)
	BREAK(1)
	JOIN4(16)
	BREAK(2)
	JOIN4(24)

scaled:
	CBNZ R12, run
	MOVD columns_base+144(FP), R21
	MOVD bias_base+168(FP), R22
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

// func sumInt8NEON(x []uint8) int32
TEXT ·sumInt8NEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R1
	VEOR V2.B16, V2.B16, V2.B16
	SUBS $16, R1
	BLT rest

sixteen:
	FMOVQ.P 16(R0), F0
	SADDLP(0, 1)
	SADALP(1, 2)
	SUBS $16, R1
	BGE sixteen

rest:
	ADDS $16, R1
	BEQ done
	FMOVD (R0), F0
	SADDLP(0, 1)
	SADALP(1, 2)

done:
	ADDV(2, 0)
	FMOVS F0, R0
	MOVW R0, ret+24(FP)
	RET
