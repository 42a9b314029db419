#include "textflag.h"
#include "neon_arm64.h"
#include "loop_arm64.h"

// Sums run in sixteen lanes, V28 to V31: a multiply-add waits four cycles for the one before it, and two can start in
// each. Element i goes to lane i%16 as long as sixteen are left, the rest to the lanes of V28, and the lanes are added
// in one order: the result depends on the numbers alone.

// REDUCE is EACH for steps with an accumulator, STEP(FMOV, n, KEEP, acc); COMBINE(b, a) joins V{b} to V{a}, and LONE is
// the KEEP of a single element.
#define REDUCE(n, STEP, COMBINE, LONE) \
	SUBS $16, n \
	BLT some \
sixteen: \
	STEP(FMOVQ, 16, ALL, 28) \
	STEP(FMOVQ, 16, ALL, 29) \
	STEP(FMOVQ, 16, ALL, 30) \
	STEP(FMOVQ, 16, ALL, 31) \
	SUBS $16, n \
	BGE sixteen \
some: \
	ADDS $12, n \
	BLT rest \
four: \
	STEP(FMOVQ, 16, ALL, 28) \
	SUBS $4, n \
	BGE four \
rest: \
	ADDS $4, n \
	BEQ done \
one: \
	STEP(FMOVS, 4, LONE, 28) \
	SUBS $1, n \
	BNE one \
done: \
	COMBINE(29, 28) \
	COMBINE(31, 30) \
	COMBINE(30, 28)

#define ADDED(b, a) FADD(b, a, a)

// ACROSS adds the lanes of V{v}: the lowest one then holds the sum.
#define ACROSS(v) FADDP(v, v, v); FADDP(v, v, v)

#define ZEROS ZERO(V28); ZERO(V29); ZERO(V30); ZERO(V31)

#define SUM_STEP(FMOV, n, KEEP, acc) \
	FMOV.P n(R0), F0 \
	FADD(0, acc, acc)

// func sumNEON(x []float32) float32
TEXT ·sumNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	ZEROS
	REDUCE(R2, SUM_STEP, ADDED, FIRST)
	ACROSS(28)
	FMOVS F28, ret+24(FP)
	RET

#define DOT_STEP(FMOV, n, KEEP, acc) \
	FMOV.P n(R0), F0 \
	FMOV.P n(R1), F1 \
	FMLA(0, 1, acc)

// func dotNEON(x, y []float32) float32
TEXT ·dotNEON(SB), NOSPLIT, $0-52
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	MOVD y_base+24(FP), R1
	ZEROS
	REDUCE(R2, DOT_STEP, ADDED, FIRST)
	ACROSS(28)
	FMOVS F28, ret+48(FP)
	RET

#define SQUARES_STEP(FMOV, n, KEEP, acc) \
	FMOV.P n(R0), F0 \
	FSUB(8, 0, 0) \
	KEEP(0) \
	FMLA(0, 0, acc)

// func squaresNEON(x []float32, mean float32) float32
TEXT ·squaresNEON(SB), NOSPLIT, $0-36
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	BROADCAST(mean+24(FP), F8, V8)
	ZEROS
	REDUCE(R2, SQUARES_STEP, ADDED, FIRST)
	ACROSS(28)
	FMOVS F28, ret+32(FP)
	RET

#define LARGER(b, a) FMAX(b, a, a)

#define LARGEST_STEP(FMOV, n, KEEP, acc) \
	FMOV.P n(R0), F0 \
	KEEP(0) \
	FMAX(0, acc, acc)

// func largestNEON(x []float32) float32
TEXT ·largestNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	VLD1R (R0), [V28.S4]
	VLD1R (R0), [V29.S4]
	VLD1R (R0), [V30.S4]
	VLD1R (R0), [V31.S4]
	REDUCE(R2, LARGEST_STEP, LARGER, SPREAD)
	FMAXV(28, 28)
	FMOVS F28, ret+24(FP)
	RET

#define ABSMAX_STEP(FMOV, n, KEEP, acc) \
	FMOV.P n(R0), F0 \
	FABS(0, 0) \
	FMAX(0, acc, acc)

// func absMaxNEON(x []float32) float32
TEXT ·absMaxNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	ZEROS
	REDUCE(R2, ABSMAX_STEP, LARGER, FIRST)
	FMAXV(28, 28)
	FMOVS F28, ret+24(FP)
	RET

// The sums of u are in V28 to V31, those of u (x - mean) rstd four registers below.
#define NORMSUMS_STEP(FMOV, n, KEEP, acc) \
	FMOV.P n(R0), F0 \
	FMOV.P n(R1), F1 \
	FMOV.P n(R3), F2 \
	FMUL(1, 2, 2) \
	FADD(2, acc, acc) \
	FSUB(8, 0, 0) \
	FMUL(9, 0, 0) \
	FMLA(2, 0, acc-4)

#define ADDED_BOTH(b, a) FADD(b, a, a); FADD(b-4, a-4, a-4)

// func normSumsNEON(x, gamma, dy []float32, mean, rstd float32) (u, ux float32)
TEXT ·normSumsNEON(SB), NOSPLIT, $0-88
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	MOVD gamma_base+24(FP), R1
	MOVD dy_base+48(FP), R3
	BROADCAST(mean+72(FP), F8, V8)
	BROADCAST(rstd+76(FP), F9, V9)
	ZEROS
	ZERO(V24); ZERO(V25); ZERO(V26); ZERO(V27)
	REDUCE(R2, NORMSUMS_STEP, ADDED_BOTH, FIRST)
	ACROSS(28)
	ACROSS(24)
	FMOVS F28, u+80(FP)
	FMOVS F24, ux+84(FP)
	RET
