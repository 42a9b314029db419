// What the integer products share: the order of the sums, and their float part, a tile of C with R8 rows at R16, R17 bytes
// apart, sixteen columns.

// EMPTY zeroes the tile of C.
#define EMPTY \
	VEOR V0.B16, V0.B16, V0.B16 \
	VEOR V1.B16, V1.B16, V1.B16 \
	VEOR V2.B16, V2.B16, V2.B16 \
	VEOR V3.B16, V3.B16, V3.B16 \
	MOVD R16, R21 \
	MOVD R8, R10 \
empty: \
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R21) \
	ADD R17, R21 \
	SUBS $1, R10 \
	BNE empty

// SCALE prepares SCALED for the block that ends: the first row of C in R21, its scale in R22.
#define SCALE \
	MOVD R16, R21 \
	MOVD R14, R22 \
	ADD $4, R14

// SCALED adds the sums of a row, V{v0} to V{v3}, to C.
#define SCALED(v0, v1, v2, v3) \
	VLD1R (R22), [V0.S4] \
	VLD1 (R21), [V1.S4, V2.S4, V3.S4, V4.S4] \
	SCVTF(v0, v0) \
	SCVTF(v1, v1) \
	SCVTF(v2, v2) \
	SCVTF(v3, v3) \
	FMLA(0, v0, 1) \
	FMLA(0, v1, 2) \
	FMLA(0, v2, 3) \
	FMLA(0, v3, 4) \
	VST1 [V1.S4, V2.S4, V3.S4, V4.S4], (R21) \
	ADD R17, R21 \
	ADD R19, R22

// BREAK(i) leaves for the label scaled where the tile has i rows.
#define BREAK(i) CMP $i, R8; BEQ scaled

// FINISH applies the scales of the columns, at R21, and the bias, at R22.
#define FINISH \
	VLD1 (R21), [V0.S4, V1.S4, V2.S4, V3.S4] \
	VLD1 (R22), [V4.S4, V5.S4, V6.S4, V7.S4] \
	MOVD R8, R10 \
	MOVD R16, R21 \
finish: \
	VLD1 (R21), [V8.S4, V9.S4, V10.S4, V11.S4] \
	VMOV V4.B16, V12.B16 \
	VMOV V5.B16, V13.B16 \
	VMOV V6.B16, V14.B16 \
	VMOV V7.B16, V15.B16 \
	VFMLA V0.S4, V8.S4, V12.S4 \
	VFMLA V1.S4, V9.S4, V13.S4 \
	VFMLA V2.S4, V10.S4, V14.S4 \
	VFMLA V3.S4, V11.S4, V15.S4 \
	VST1 [V12.S4, V13.S4, V14.S4, V15.S4], (R21) \
	ADD R17, R21 \
	SUBS $1, R10 \
	BNE finish

// BLOCK sets R13 to the groups of the next block and takes them from R12.
#define BLOCK \
	CMP R20, R12 \
	CSEL LT, R12, R20, R13 \
	SUB R13, R12

// PAIR loads eight terms of two rows, one above the other.
#define PAIR(r0, r1, f, v) \
	FMOVD (r0)(R9), f \
	FMOVD (r1)(R9), F3 \
	VMOV V3.D[0], v.D[1]

// COLUMNS adds the products of all rows with two columns, V{b}.
#define COLUMNS(b, q) \
	SMMLA(b, 0, 8+q) \
	SMMLA(b, 1, 16+q) \
	SMMLA(b, 2, 24+q)

// PART turns the sums of two rows, 2 x 2 in each of V{b} to V{b+7}, into rows: V7, V{b}, V{b+2} and V{b+4}, and V{b+1},
// V{b+3}, V{b+5} and V{b+7}.
#define PART(b) \
	TRN1D(b+1, b, 7) \
	TRN2D(b+1, b, b+1) \
	TRN1D(b+3, b+2, b) \
	TRN2D(b+3, b+2, b+3) \
	TRN1D(b+5, b+4, b+2) \
	TRN2D(b+5, b+4, b+5) \
	TRN1D(b+7, b+6, b+4) \
	TRN2D(b+7, b+6, b+7)
