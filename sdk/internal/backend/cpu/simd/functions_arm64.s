#include "textflag.h"
#include "neon_arm64.h"
#include "loop_arm64.h"

// The arithmetic of package approx on four lanes. Constants come from the Go variable functionTable: the first eleven
// stay in V16 to V26, the other coefficients are loaded where they are added. A multiply-add overwrites its addend, so
// that a register would have to be copied, on the port that multiplies; the load goes through another one.

#define CONSTANTS \
	MOVD $·functionTable(SB), R3 \
	VLD1.P 64(R3), [V16.S4, V17.S4, V18.S4, V19.S4] \
	VLD1.P 64(R3), [V20.S4, V21.S4, V22.S4, V23.S4] \
	VLD1.P 48(R3), [V24.S4, V25.S4, V26.S4]

#define LOG2E 16
#define EXP_MIN 19
#define TAIL_MIN 21
#define MINUS_HALF 23
#define ONE 24
#define DENSITY_SCALE 26

// EXP is V0 = e^V0 by approx.Exp, for arguments from approx.ExpMin; V1 to V3 are lost. 13 vector instructions and 6 loads
// for four elements.
#define EXP \
	FMUL(LOG2E, 0, 3) \
	FRINTN(3, 3) \
	VFMLS V17.S4, V3.S4, V0.S4 \
	VFMLS V18.S4, V3.S4, V0.S4 \
	FCVTNS(3, 3) \
	VSHL $23, V3.S4, V3.S4 \
	FMOVQ (R3), F1 \
	VFMLA V20.S4, V0.S4, V1.S4 \
	FMOVQ 16(R3), F2 \
	VFMLA V1.S4, V0.S4, V2.S4 \
	FMOVQ 32(R3), F1 \
	VFMLA V2.S4, V0.S4, V1.S4 \
	FMOVQ 48(R3), F2 \
	VFMLA V1.S4, V0.S4, V2.S4 \
	FMOVQ 64(R3), F1 \
	VFMLA V2.S4, V0.S4, V1.S4 \
	FMOVQ 80(R3), F2 \
	VFMLA V1.S4, V0.S4, V2.S4 \
	VADD V3.S4, V2.S4, V0.S4

// NORMAL is V2 = Φ(V4) and V0 = exp(-V4²/2) by approx.Normal; V1, V3, V5 and V6 are lost.
#define NORMAL \
	FABS(4, 5) \
	FMUL(MINUS_HALF, 5, 0) \
	FMUL(5, 0, 0) \
	FMAX(TAIL_MIN, 0, 0) \
	VMOV V24.B16, V6.B16 \
	VFMLA V22.S4, V5.S4, V6.S4 \
	FDIV(6, ONE, 6) \
	EXP \
	FMOVQ 96(R3), F1 \
	VFMLA V25.S4, V6.S4, V1.S4 \
	FMOVQ 112(R3), F2 \
	VFMLA V1.S4, V6.S4, V2.S4 \
	FMOVQ 128(R3), F1 \
	VFMLA V2.S4, V6.S4, V1.S4 \
	FMOVQ 144(R3), F2 \
	VFMLA V1.S4, V6.S4, V2.S4 \
	FMOVQ 160(R3), F1 \
	VFMLA V2.S4, V6.S4, V1.S4 \
	FMOVQ 176(R3), F2 \
	VFMLA V1.S4, V6.S4, V2.S4 \
	FMOVQ 192(R3), F1 \
	VFMLA V2.S4, V6.S4, V1.S4 \
	FMOVQ 208(R3), F2 \
	VFMLA V1.S4, V6.S4, V2.S4 \
	FMOVQ 224(R3), F1 \
	VFMLA V2.S4, V6.S4, V1.S4 \
	FMUL(0, 1, 1) \
	FSUB(1, ONE, 2) \
	SSHR31(4, 3) \
	VBIT V3.B16, V1.B16, V2.B16

#define EXPSUM_STEP(FMOV, n, KEEP) \
	FMOV (R0), F4 \
	VMOV V9.B16, V0.B16 \
	VFMLA V8.S4, V4.S4, V0.S4 \
	FMAX(EXP_MIN, 0, 0) \
	EXP \
	FMOV.P F0, n(R0) \
	KEEP(0) \
	FADD(0, 28, 28)

// func expSumNEON(x []float32, scale, shift float32) float32
TEXT ·expSumNEON(SB), NOSPLIT, $0-36
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	BROADCAST(scale+24(FP), F8, V8)
	BROADCAST(shift+28(FP), F9, V9)
	FNEG(9, 9)
	CONSTANTS
	ZERO(V28)
	EACH(R2, EXPSUM_STEP)
	FADDP(28, 28, 28)
	FADDP(28, 28, 28)
	FMOVS F28, ret+32(FP)
	RET

#define GELU_STEP(FMOV, n, KEEP) \
	FMOV (R0), F4 \
	NORMAL \
	FMUL(4, 2, 2) \
	FMOV.P F2, n(R0)

// func geluNEON(x []float32)
TEXT ·geluNEON(SB), NOSPLIT, $0-24
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	CONSTANTS
	EACH(R2, GELU_STEP)
	RET

// The derivative is x φ(x) + Φ(x).
#define GELUGRAD_STEP(FMOV, n, KEEP) \
	FMOV (R0), F4 \
	NORMAL \
	FMUL(DENSITY_SCALE, 0, 0) \
	VMOV V2.B16, V1.B16 \
	VFMLA V4.S4, V0.S4, V1.S4 \
	FMOV.P F1, n(R1) \
	FMUL(4, 2, 2) \
	FMOV.P F2, n(R0)

// func geluGradNEON(x, d []float32)
TEXT ·geluGradNEON(SB), NOSPLIT, $0-48
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	MOVD d_base+24(FP), R1
	CONSTANTS
	EACH(R2, GELUGRAD_STEP)
	RET
