// Frozen linear layer with its epilogue (include/epilogue.glsl), for drivers that run shaders on the CPU:
//
//   A8       as linear_a8.comp: x int8 [M, K] with its scales (include/rounded.glsl)
//   else     as linear.comp: x float32 [M, K]
//
// Such a driver has a thread in each lane of the CPU's vectors, and a fetch is a call of some 50 instructions. LANES threads therefore
// fetch a row of x each and hand its numbers round (include/lanes.glsl). One thread computes ROWS x 4 QUADS outputs, STRIP quads
// of them at a time, over 16 columns of k at a time: the sums of two rows stay in registers meanwhile, and the loop in the CPU's
// cache of decoded instructions (larger tiles need fewer instructions a product and run at half the speed). Sums are those of the
// other two, in their order; those of int8 are integers (include/rowpairs.glsl).
// Reference: sdk/internal/ref/linear.go, activations.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES: threads of a group have the same rows
layout(constant_id = 1) const uint ROWS = 8;  // a multiple of LANES
layout(constant_id = 2) const uint QUADS = 1; // with ROUND 16 / LANES, so that a group has a block of columns
layout(constant_id = 3) const uint STRIP = 1; // a divisor of QUADS
layout(constant_id = 7) const uint BLOCK = 0;    // A8: words of 16 that share a scale; 0 for all of a row
const bool WIDE = true;
const uint ROWSTEP = 1;

#include "load.glsl"
#include "weights.glsl"
#if defined(A8)
#include "int8.glsl"
#include "rounded.glsl"
#else
VEC4S(0, x);
#endif
#include "lanes.glsl"
#include "epilogue.glsl"

#define EACHOWN [[unroll]] for (uint j = 0; j < ROWS / LANES; j++)
#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHQUAD [[unroll]] for (uint q = 0; q < STRIP; q++)
#define EACHCOLUMN [[unroll]] for (uint c = 0; c < 4; c++)
#define EACHSTEP [[unroll]] for (uint s = 0; s < 4; s++)

#if defined(A8)
// The scale of a block of x, of this thread's row j.
float rowScale(uint words, uint block, uint m0, uint j) {
    uint at = roundedScale(M, words, block, min(m0 + j * LANES + LANE, M - 1u));
    return uintBitsToFloat(XWORD(at / 4u)[at % 4u]);
}

// That of row i.
#define ROWSCALE(own, i) FROMLANE(own[(i) / LANES], (i) % LANES)

// Number s of the 16 columns h of a word of weights; of eight int4 the first four are in the low halves of the bytes.
#if defined(Q4G)
int weightOf(uvec4 word, uint h, uint s) { return int(word[2 * h + s / 8] << (28 - 8 * (s % 4) - s / 4 % 2 * 4)) >> 28; }
#else
#define weightOf(word, h, s) int8Of(word[(s) / 4], (s) % 4)
#endif
#define WEIGHTS(b) EACHCOLUMN { \
    uvec4 word = WORD(quad / 16u * words * 64u + quad % 16u + 16u * c + at / XWORDS * 64u); \
    if (TURN < XWORDS) word = at % 2u == 1u ? word.zwzw : word; \
    EACHNUMBER b[c][s] = weightOf(word, h, s); }
#include "rowpairs.glsl"
#else
// Rows whose sums are added to at a time, eight sums: an addition takes three to four cycles, and there are two a cycle.
const uint PAIR = 2 / STRIP;

// The 16 numbers at of columns 4 quad .. 4 quad + 3, slot the first word of the first; the last ones again behind them.
void columns(uint slot, uint words, uint at, out vec4 b[4][4]) {
    EACHCOLUMN {
        uint first = slot + 16u * c;
#if defined(Q8C)
        uvec4 word = WORD(first + at * 64u);
        EACHSTEP b[c][s] = widen(word, s);
#elif defined(Q4G)
        uvec4 word = WORD(first + at / 2u * 64u);
        if (at % 2u == 1u) word.xy = word.zw;
        EACHSTEP b[c][s] = widen(word, s);
#elif defined(F16)
        [[unroll]] for (uint z = 0; z < 2; z++) {
            uvec4 word = WORD(first + min(2u * at + z, words - 1u) * 64u);
            [[unroll]] for (uint s = 0; s < 2; s++) b[c][2 * z + s] = widen(word, s);
        }
#else
        EACHSTEP b[c][s] = widen(WORD(first + min(4u * at + s, words - 1u) * 64u), 0u);
#endif
    }
}

// The 16 numbers at of a row of x that begins at from, zeros behind the last.
void numbers(uint from, uint at, out vec4 a[4]) {
    EACHSTEP {
        a[s] = texelFetch(x, int(from + 4u * at + s));
        if (KPL < 16u && 16u * at + 4u * s >= K) a[s] = vec4(0.0);
    }
}

// The sums of rows m0 .. m0 + ROWS - 1 with the columns of quads from quad on; int4 weights have their scales from the start.
void sums(uint panels, uint words, uint steps, uint quad, uint m0, out vec4 total[ROWS][STRIP]) {
    uint slot = quad / 16u * words * 64u + quad % 16u, from[ROWS / LANES];
    EACHROW EACHQUAD total[i][q] = vec4(0.0);
    OWNROWS(from, ROWS, m0, M, K / 4u)
    for (uint at = 0; m0 < M && at < steps; at++) { // asking at the end is 5% slower here
        vec4 a[ROWS / LANES][4], b[STRIP][4][4];
        EACHOWN numbers(from[j], at, a[j]);
        EACHQUAD {
            columns(slot + q, words, at, b[q]);
#if defined(Q4G)
            vec4 by = groupScales(panels, words, quad + q, at / 2u);
            EACHCOLUMN EACHSTEP b[q][c][s] *= by[c];
#endif
        }
        [[unroll]] for (uint r = 0; r < ROWS / PAIR; r++) EACHSTEP [[unroll]] for (uint e = 0; e < 4; e++) [[unroll]] for (uint z = 0; z < PAIR; z++) {
            uint i = PAIR * r + z;
            float v = FROMLANE(a[i / LANES][s][e], i % LANES);
            EACHQUAD EACHCOLUMN total[i][q][c] = fma(v, b[q][c][s][e], total[i][q][c]);
        }
    }
}
#endif

// Sums of STRIP quads from quad t on, with their scales and shift.
#define STRIPAT(t) if ((t) < QUADS) { \
    vec4 sum[ROWS][STRIP]; \
    sums(panels, words, (K + 15u) / 16u, quad + (t), m0, sum); \
    EACHQUAD { \
        vec4 columns = scales(panels, words, quad + (t) + q), shift = shiftOf(quad + (t) + q); \
        EACHROW acc[i][(t) + q] = fma(sum[i][q], columns, shift); \
    } }

void main() {
    uint panels = (N + 63u) / 64u, words = (K + KPL - 1u) / KPL, tiles = (N + 4u * LANES * QUADS - 1u) / (4u * LANES * QUADS) * LANES;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    vec4 acc[ROWS][QUADS];
    // One loop after the other, each within that cache. Mesa unrolls no loop around loops, and what it indexes is then in memory.
    STRIPAT(0u)
    STRIPAT(STRIP)
    STRIPAT(2u * STRIP)
    STRIPAT(3u * STRIP)
    epilogue(m0, quad, acc);
}
