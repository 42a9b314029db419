#include "textflag.h"
#include "neon_arm64.h"
#include "loop_arm64.h"

#define ADD_STEP(FMOV, n, KEEP) \
	FMOV (R0), F0 \
	FMOV.P n(R1), F1 \
	FADD(1, 0, 0) \
	FMOV.P F0, n(R0)

// func addNEON(dst, src []float32)
TEXT ·addNEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R2
	MOVD src_base+24(FP), R1
	EACH(R2, ADD_STEP)
	RET

#define MUL_STEP(FMOV, n, KEEP) \
	FMOV (R0), F0 \
	FMOV.P n(R1), F1 \
	FMUL(1, 0, 0) \
	FMOV.P F0, n(R0)

// func mulNEON(dst, src []float32)
TEXT ·mulNEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R2
	MOVD src_base+24(FP), R1
	EACH(R2, MUL_STEP)
	RET

#define AXPY_STEP(FMOV, n, KEEP) \
	FMOV (R0), F0 \
	FMOV.P n(R1), F1 \
	VFMLA V8.S4, V1.S4, V0.S4 \
	FMOV.P F0, n(R0)

// func axpyNEON(dst, src []float32, alpha float32)
TEXT ·axpyNEON(SB), NOSPLIT, $0-52
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R2
	MOVD src_base+24(FP), R1
	BROADCAST(alpha+48(FP), F8, V8)
	EACH(R2, AXPY_STEP)
	RET

#define SCALE_STEP(FMOV, n, KEEP) \
	FMOV (R0), F0 \
	FMUL(8, 0, 0) \
	FMOV.P F0, n(R0)

// func scaleNEON(dst []float32, alpha float32)
TEXT ·scaleNEON(SB), NOSPLIT, $0-28
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R2
	BROADCAST(alpha+24(FP), F8, V8)
	EACH(R2, SCALE_STEP)
	RET

#define SCORE_STEP(FMOV, n, KEEP) \
	FMOV (R0), F0 \
	FMOV.P n(R1), F1 \
	FSUB(8, 0, 0) \
	FMUL(1, 0, 0) \
	FMUL(9, 0, 0) \
	FMOV.P F0, n(R0)

// func scoreGradNEON(dp, p []float32, delta, scale float32)
TEXT ·scoreGradNEON(SB), NOSPLIT, $0-56
	MOVD dp_base+0(FP), R0
	MOVD dp_len+8(FP), R2
	MOVD p_base+24(FP), R1
	BROADCAST(delta+48(FP), F8, V8)
	BROADCAST(scale+52(FP), F9, V9)
	EACH(R2, SCORE_STEP)
	RET

#define NORMALIZE_STEP(FMOV, n, KEEP) \
	FMOV.P n(R1), F0 \
	FMOV.P n(R3), F1 \
	FMOV.P n(R4), F2 \
	FSUB(8, 0, 0) \
	FMUL(9, 0, 0) \
	VFMLA V1.S4, V0.S4, V2.S4 \
	FMOV.P F2, n(R0)

// func normalizeNEON(y, x, gamma, beta []float32, mean, rstd float32)
TEXT ·normalizeNEON(SB), NOSPLIT, $0-104
	MOVD y_base+0(FP), R0
	MOVD y_len+8(FP), R2
	MOVD x_base+24(FP), R1
	MOVD gamma_base+48(FP), R3
	MOVD beta_base+72(FP), R4
	BROADCAST(mean+96(FP), F8, V8)
	BROADCAST(rstd+100(FP), F9, V9)
	EACH(R2, NORMALIZE_STEP)
	RET

// The product gamma dy is rounded, as in the mean: with rows of one element the difference is zero.
#define NORMGRAD_STEP(FMOV, n, KEEP) \
	FMOV (R0), F0 \
	FMOV.P n(R1), F1 \
	FMOV.P n(R3), F2 \
	FMOV.P n(R4), F3 \
	FMUL(2, 3, 3) \
	FSUB(10, 3, 3) \
	FSUB(8, 1, 1) \
	FMUL(9, 1, 1) \
	VFMLS V11.S4, V1.S4, V3.S4 \
	VFMLA V9.S4, V3.S4, V0.S4 \
	FMOV.P F0, n(R0)

// func normGradNEON(dx, x, gamma, dy []float32, mean, rstd, u, ux float32)
TEXT ·normGradNEON(SB), NOSPLIT, $0-112
	MOVD dx_base+0(FP), R0
	MOVD dx_len+8(FP), R2
	MOVD x_base+24(FP), R1
	MOVD gamma_base+48(FP), R3
	MOVD dy_base+72(FP), R4
	BROADCAST(mean+96(FP), F8, V8)
	BROADCAST(rstd+100(FP), F9, V9)
	BROADCAST(u+104(FP), F10, V10)
	BROADCAST(ux+108(FP), F11, V11)
	EACH(R2, NORMGRAD_STEP)
	RET
