// What the kernels of a GEMM tile of 6 x 16 share.

// POINTERS sets R1 to R5 to rows 1 to 5 from row 0 in R0, R9 bytes apart. Rows from m (R8) on repeat the last one:
// they compute and store its very values once more.
#define NEXT(i, from, to) CMP $(i), R8; ADD R9, from, R10; CSEL GT, R10, from, to;
#define POINTERS \
	NEXT(1, R0, R1) \
	NEXT(2, R1, R2) \
	NEXT(3, R2, R3) \
	NEXT(4, R3, R4) \
	NEXT(5, R4, R5)
