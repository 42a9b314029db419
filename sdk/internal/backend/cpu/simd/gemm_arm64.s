#include "textflag.h"
#include "neon_arm64.h"
#include "tile_arm64.h"

// ROW is one row of the tile: its element of A, in the lowest lane of vm, times the twelve columns in V0 to V2.
#define ROW(vm, c0, c1, c2) FMLA0(vm, 0, c0); FMLA0(vm, 1, c1); FMLA0(vm, 2, c2)

// func gemmNEON(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)
//
// The tile is 8 x 12: accumulators V8 to V31, three to a row; a row of B in V0 to V2; elements of A in V3 to V6.
// Scalar loads of A use only the load ports, so that both vector ports are left to the multiply-adds.
TEXT ·gemmNEON(SB), NOSPLIT, $0-121
	MOVD m+0(FP), R8
	MOVBU accumulate+120(FP), R12
	CBZ R12, zero
	MOVD c_base+88(FP), R0
	MOVD cs+112(FP), R9
	LSL $2, R9
	POINTERS
	VLD1 (R0), [V8.S4, V9.S4, V10.S4]
	VLD1 (R1), [V11.S4, V12.S4, V13.S4]
	VLD1 (R2), [V14.S4, V15.S4, V16.S4]
	VLD1 (R3), [V17.S4, V18.S4, V19.S4]
	VLD1 (R4), [V20.S4, V21.S4, V22.S4]
	VLD1 (R5), [V23.S4, V24.S4, V25.S4]
	VLD1 (R6), [V26.S4, V27.S4, V28.S4]
	VLD1 (R7), [V29.S4, V30.S4, V31.S4]
	B sums

zero:
	CLEAR_TILE

sums:
	MOVD a_base+16(FP), R0
	MOVD ars+40(FP), R9
	LSL $2, R9
	POINTERS
	MOVD aks+48(FP), R10
	LSL $2, R10
	MOVD b_base+56(FP), R11
	MOVD bs+80(FP), R12
	LSL $2, R12
	MOVD k+8(FP), R13
	MOVD $0, R14 // offset of the current k in every row
	CBZ R13, store

loop:
	VLD1 (R11), [V0.S4, V1.S4, V2.S4]
	FMOVS (R0)(R14), F3
	FMOVS (R1)(R14), F4
	FMOVS (R2)(R14), F5
	FMOVS (R3)(R14), F6
	ADD R12, R11
	ROW(3, 8, 9, 10)
	FMOVS (R4)(R14), F3
	ROW(4, 11, 12, 13)
	FMOVS (R5)(R14), F4
	ROW(5, 14, 15, 16)
	FMOVS (R6)(R14), F5
	ROW(6, 17, 18, 19)
	FMOVS (R7)(R14), F6
	ROW(3, 20, 21, 22)
	ROW(4, 23, 24, 25)
	ROW(5, 26, 27, 28)
	ROW(6, 29, 30, 31)
	ADD R10, R14
	SUBS $1, R13
	BNE loop

store:
	MOVD c_base+88(FP), R0
	MOVD cs+112(FP), R9
	LSL $2, R9
	POINTERS
	VST1 [V8.S4, V9.S4, V10.S4], (R0)
	VST1 [V11.S4, V12.S4, V13.S4], (R1)
	VST1 [V14.S4, V15.S4, V16.S4], (R2)
	VST1 [V17.S4, V18.S4, V19.S4], (R3)
	VST1 [V20.S4, V21.S4, V22.S4], (R4)
	VST1 [V23.S4, V24.S4, V25.S4], (R5)
	VST1 [V26.S4, V27.S4, V28.S4], (R6)
	VST1 [V29.S4, V30.S4, V31.S4], (R7)
	RET
