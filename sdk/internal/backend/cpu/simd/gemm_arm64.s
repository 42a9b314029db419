#include "textflag.h"
#include "neon_arm64.h"
#include "tile_arm64.h"

// ROW is one row of the tile: its element of A, in the lowest lane of vm, times the sixteen columns in V0 to V3.
#define ROW(vm, c) FMLA0(vm, 0, c); FMLA0(vm, 1, c+1); FMLA0(vm, 2, c+2); FMLA0(vm, 3, c+3)

// CLEAR_TILE zeroes the accumulators of a tile, V8 to V31.
#define CLEAR_TILE \
	VEOR V8.B16, V8.B16, V8.B16; VEOR V9.B16, V9.B16, V9.B16; VEOR V10.B16, V10.B16, V10.B16; VEOR V11.B16, V11.B16, V11.B16 \
	VEOR V12.B16, V12.B16, V12.B16; VEOR V13.B16, V13.B16, V13.B16; VEOR V14.B16, V14.B16, V14.B16; VEOR V15.B16, V15.B16, V15.B16 \
	VEOR V16.B16, V16.B16, V16.B16; VEOR V17.B16, V17.B16, V17.B16; VEOR V18.B16, V18.B16, V18.B16; VEOR V19.B16, V19.B16, V19.B16 \
	VEOR V20.B16, V20.B16, V20.B16; VEOR V21.B16, V21.B16, V21.B16; VEOR V22.B16, V22.B16, V22.B16; VEOR V23.B16, V23.B16, V23.B16 \
	VEOR V24.B16, V24.B16, V24.B16; VEOR V25.B16, V25.B16, V25.B16; VEOR V26.B16, V26.B16, V26.B16; VEOR V27.B16, V27.B16, V27.B16 \
	VEOR V28.B16, V28.B16, V28.B16; VEOR V29.B16, V29.B16, V29.B16; VEOR V30.B16, V30.B16, V30.B16; VEOR V31.B16, V31.B16, V31.B16

// func gemmNEON(m, k int, a []float32, ars, aks int, b []float32, bs int, c []float32, cs int, accumulate bool)
//
// The tile is 6 x 16: accumulators V8 to V31, four to a row; a row of B in V0 to V3; elements of A in V4 to V7. Ten loads
// for 24 multiply-adds, where 8 x 12 takes eleven; and the widths of a ViT, 64 for a head and multiples of it, are whole
// panels. Scalar loads of A use only the load ports, so that both vector ports are left to the multiply-adds.
TEXT ·gemmNEON(SB), NOSPLIT, $0-121
	MOVD m+0(FP), R8
	MOVBU accumulate+120(FP), R12
	CBZ R12, zero
	MOVD c_base+88(FP), R0
	MOVD cs+112(FP), R9
	LSL $2, R9
	POINTERS
	VLD1 (R0), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1 (R1), [V12.S4, V13.S4, V14.S4, V15.S4]
	VLD1 (R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1 (R3), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1 (R4), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1 (R5), [V28.S4, V29.S4, V30.S4, V31.S4]
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
	VLD1 (R11), [V0.S4, V1.S4, V2.S4, V3.S4]
	FMOVS (R0)(R14), F4
	FMOVS (R1)(R14), F5
	FMOVS (R2)(R14), F6
	FMOVS (R3)(R14), F7
	ADD R12, R11
	ROW(4, 8)
	FMOVS (R4)(R14), F4
	ROW(5, 12)
	FMOVS (R5)(R14), F5
	ROW(6, 16)
	ROW(7, 20)
	ROW(4, 24)
	ROW(5, 28)
	ADD R10, R14
	SUBS $1, R13
	BNE loop

store:
	MOVD c_base+88(FP), R0
	MOVD cs+112(FP), R9
	LSL $2, R9
	POINTERS
	VST1 [V8.S4, V9.S4, V10.S4, V11.S4], (R0)
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R1)
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R2)
	VST1 [V20.S4, V21.S4, V22.S4, V23.S4], (R3)
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R4)
	VST1 [V28.S4, V29.S4, V30.S4, V31.S4], (R5)
	RET
