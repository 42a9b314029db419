// What float products share whose threads compute ROWS x 4 QUADS outputs each, loading what they need themselves.

#include "load.glsl"

#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHQUAD [[unroll]] for (uint q = 0; q < QUADS; q++)
#define EACHCOLUMN [[unroll]] for (uint c = 0; c < 4; c++)

// Rows that are walked in steps of four elements are addressed in UNITs: vec4s where sizes are WIDE, else elements; a step
// is STRIDE units. LOADAT is LOAD4 at a place in units.
#if defined(TEXEL)
const uint UNIT = 4;
#define LOADAT(buf, at, left) texelFetch(buf, int(at))
#else
const uint UNIT = WIDE ? 4u : 1u;
#define LOADAT(buf, at, left) (WIDE ? buf[(at)] : LOAD4(buf, at, left))
#endif
const uint STRIDE = 4u / UNIT;

// Where n rows from first on begin, those beyond the last as the last. Clamping the product, not the row, leaves one addition
// a load in the loops: no compiler multiplies again.
#define FROM(from, n, first, rows, row) \
    [[unroll]] for (uint i = 0; i < (n); i++) from[i] = min(((first) + i) * (row), ((rows) - 1u) * (row));

// LOAD4 of a buffer that is written, too: no texels.
#if defined(TEXEL)
#define READ4(buf, at, left) buf[(at) >> 2]
#else
#define READ4(buf, at, left) LOAD4(buf, at, left)
#endif

// The flat index of the group's first invocation. To leave by it, not by one's own, keeps the control flow uniform: NVIDIA
// then adds the uniform part of an address within the load.
uint groupIndex() { return (gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x) * gl_WorkGroupSize.x; }
