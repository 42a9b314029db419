// The float part of the int8 products: a tile of C with R8 rows at R16, R17 bytes apart, twelve columns.

// EMPTY zeroes the tile of C.
#define EMPTY \
	VEOR V0.B16, V0.B16, V0.B16 \
	VEOR V1.B16, V1.B16, V1.B16 \
	VEOR V2.B16, V2.B16, V2.B16 \
	MOVD R16, R21 \
	MOVD R8, R10 \
empty: \
	VST1 [V0.S4, V1.S4, V2.S4], (R21) \
	ADD R17, R21 \
	SUBS $1, R10 \
	BNE empty

// SCALE begins the sums of a block: their start from R15 in V0 to V2, the first row of C in R21 and its scale in R22.
#define SCALE \
	VLD1.P 48(R15), [V0.S4, V1.S4, V2.S4] \
	MOVD R16, R21 \
	MOVD R14, R22 \
	ADD $4, R14

// SCALED adds the sums of a row, V{v0} to V{v2}, to C.
#define SCALED(v0, v1, v2) \
	VLD1R (R22), [V3.S4] \
	VLD1 (R21), [V4.S4, V5.S4, V6.S4] \
	ADDI(0, v0, v0) \
	ADDI(1, v1, v1) \
	ADDI(2, v2, v2) \
	SCVTF(v0, v0) \
	SCVTF(v1, v1) \
	SCVTF(v2, v2) \
	FMLA(3, v0, 4) \
	FMLA(3, v1, 5) \
	FMLA(3, v2, 6) \
	VST1 [V4.S4, V5.S4, V6.S4], (R21) \
	ADD R17, R21 \
	ADD R19, R22

// BREAK(i) leaves for the label scaled where the tile has i rows.
#define BREAK(i) CMP $i, R8; BEQ scaled

// FINISH applies the scales of the columns, at R21, and the bias, at R22.
#define FINISH \
	VLD1 (R21), [V0.S4, V1.S4, V2.S4] \
	VLD1 (R22), [V3.S4, V4.S4, V5.S4] \
	MOVD R8, R10 \
	MOVD R16, R21 \
finish: \
	VLD1 (R21), [V6.S4, V7.S4, V8.S4] \
	VMOV V3.B16, V9.B16 \
	VMOV V4.B16, V10.B16 \
	VMOV V5.B16, V11.B16 \
	VFMLA V0.S4, V6.S4, V9.S4 \
	VFMLA V1.S4, V7.S4, V10.S4 \
	VFMLA V2.S4, V8.S4, V11.S4 \
	VST1 [V9.S4, V10.S4, V11.S4], (R21) \
	ADD R17, R21 \
	SUBS $1, R10 \
	BNE finish
