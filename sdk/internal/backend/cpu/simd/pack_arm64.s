#include "textflag.h"
#include "neon_arm64.h"
#include "loop_arm64.h"

#define WIDEN_ROW(v, s) \
	SSHR24(v, v) \
	SCVTF(v, v) \
	FMUL(s, v, v)

// WIDEN takes V0, four columns with the bytes of four rows side by side in each, scales them by V{s} and stores the rows
// at R0 + at, 64 bytes apart. 15 instructions for 16 elements.
#define WIDEN(s, at) \
	VSHL $16, V0.S4, V1.S4 \
	VSHL $8, V0.S4, V2.S4 \
	SSHR24(0, 3) \
	VSHL $24, V0.S4, V0.S4 \
	WIDEN_ROW(0, s) \
	WIDEN_ROW(1, s) \
	WIDEN_ROW(2, s) \
	SCVTF(3, 3) \
	FMUL(s, 3, 3) \
	FMOVQ F0, at(R0) \
	FMOVQ F1, (at+64)(R0) \
	FMOVQ F2, (at+128)(R0) \
	FMOVQ F3, (at+192)(R0)

#define QUAD(s, at) \
	FMOVQ.P 16(R1), F0 \
	WIDEN(s, at)

// func widenInt8NEON(dst []float32, src []int8, scale []float32)
//
// Panels of sixteen columns, four rows to a group.
TEXT ·widenInt8NEON(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD src_len+32(FP), R2
	MOVD scale_base+48(FP), R3
	VLD1 (R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	SUBS $64, R2
	BLT done

group:
	QUAD(16, 0)
	QUAD(17, 16)
	QUAD(18, 32)
	QUAD(19, 48)
	ADD $256, R0
	SUBS $64, R2
	BGE group

done:
	RET

// OCTET parts the words of four columns: rows 0 to 3 and rows 4 to 7.
#define OCTET(s, at) \
	VLD1.P 32(R1), [V4.S4, V5.S4] \
	VUZP1 V5.S4, V4.S4, V0.S4 \
	WIDEN(s, at) \
	VUZP2 V5.S4, V4.S4, V0.S4 \
	WIDEN(s, at+256)

// func widenInt8I8MM(dst []float32, src []int8, scale []float32)
//
// Panels of sixteen columns, eight rows to a group.
TEXT ·widenInt8I8MM(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD src_len+32(FP), R2
	MOVD scale_base+48(FP), R3
	VLD1 (R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	SUBS $128, R2
	BLT done

group:
	OCTET(16, 0)
	OCTET(17, 16)
	OCTET(18, 32)
	OCTET(19, 48)
	ADD $512, R0
	SUBS $128, R2
	BGE group

done:
	RET

// func widenHalfNEON(dst []float32, src []uint16, scale []float32)
TEXT ·widenHalfNEON(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD src_base+24(FP), R1
	MOVD src_len+32(FP), R2
	MOVD scale_base+48(FP), R3
	VLD1 (R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	SUBS $16, R2
	BLT done

row:
	VLD1.P 32(R1), [V4.H8, V5.H8]
	FCVTL(4, 0)
	FCVTL2(4, 1)
	FCVTL(5, 2)
	FCVTL2(5, 3)
	FMUL(16, 0, 0)
	FMUL(17, 1, 1)
	FMUL(18, 2, 2)
	FMUL(19, 3, 3)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS $16, R2
	BGE row

done:
	RET

#define ROUND(v) \
	FMUL(8, v, v) \
	FCVTNS(v, v)

// func quantizeNEON(q []uint8, x []float32, factor float32)
//
// 11 vector instructions for 16 elements: two to round each register, three to narrow.
TEXT ·quantizeNEON(SB), NOSPLIT, $0-52
	MOVD q_base+0(FP), R0
	MOVD x_base+24(FP), R1
	MOVD x_len+32(FP), R2
	BROADCAST(factor+48(FP), F8, V8)
	SUBS $16, R2
	BLT rest

sixteen:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	ROUND(0)
	ROUND(1)
	ROUND(2)
	ROUND(3)
	VUZP1 V1.H8, V0.H8, V0.H8
	VUZP1 V3.H8, V2.H8, V2.H8
	VUZP1 V2.B16, V0.B16, V0.B16
	FMOVQ.P F0, 16(R0)
	SUBS $16, R2
	BGE sixteen

rest:
	ADDS $16, R2
	BEQ done

one:
	FMOVS.P 4(R1), F0
	ROUND(0)
	FMOVS F0, R3
	MOVB.P R3, 1(R0)
	SUBS $1, R2
	BNE one

done:
	RET

// func transpose4NEON(dst []float32, ldd int, src []float32, lds, blocks int)
TEXT ·transpose4NEON(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD ldd+24(FP), R1
	LSL $2, R1
	MOVD src_base+32(FP), R2
	MOVD lds+56(FP), R6
	ADD R6<<2, R2, R3
	ADD R6<<2, R3, R4
	ADD R6<<2, R4, R5
	MOVD blocks+64(FP), R6
	CBZ R6, done

block:
	FMOVQ.P 16(R2), F0
	FMOVQ.P 16(R3), F1
	FMOVQ.P 16(R4), F2
	FMOVQ.P 16(R5), F3
	VTRN1 V1.S4, V0.S4, V4.S4
	VTRN2 V1.S4, V0.S4, V5.S4
	VTRN1 V3.S4, V2.S4, V6.S4
	VTRN2 V3.S4, V2.S4, V7.S4
	VTRN1 V6.D2, V4.D2, V0.D2
	VTRN1 V7.D2, V5.D2, V1.D2
	VTRN2 V6.D2, V4.D2, V2.D2
	VTRN2 V7.D2, V5.D2, V3.D2
	FMOVQ F0, (R0)
	ADD R1, R0
	FMOVQ F1, (R0)
	ADD R1, R0
	FMOVQ F2, (R0)
	ADD R1, R0
	FMOVQ F3, (R0)
	ADD R1, R0
	SUBS $1, R6
	BNE block

done:
	RET
