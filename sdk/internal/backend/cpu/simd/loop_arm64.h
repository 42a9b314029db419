// Loops over rows of float32. A step is a macro STEP(FMOV, n, KEEP): FMOV moves n bytes, a register of four elements
// (FMOVQ) or one element in the lowest lane with zeros above it (FMOVS); KEEP(v) clears the other lanes of v where there
// is one element only. The arithmetic of both is the same, lane by lane.

#define ALL(v)

// EACH takes n elements, four at a time and then one by one: nothing beyond the end is touched.
#define EACH(n, STEP) \
	SUBS $4, n \
	BLT rest \
four: \
	STEP(FMOVQ, 16, ALL) \
	SUBS $4, n \
	BGE four \
rest: \
	ADDS $4, n \
	BEQ done \
one: \
	STEP(FMOVS, 4, FIRST) \
	SUBS $1, n \
	BNE one \
done:

// BROADCAST fills V{n} with a parameter.
#define BROADCAST(p, f, v) FMOVS p, f; VDUP v.S[0], v.S4

#define ZERO(v) VEOR v.B16, v.B16, v.B16
