// Frozen linear layer with its epilogue (include/epilogue.glsl), for drivers that run shaders on the CPU:
//
//   A8       as linear_a8.comp: x int8 [M, K] with its scales (include/rounded.glsl)
//   else     as linear.comp: x float32 [M, K]
//
// Such a driver has a thread in each lane of the CPU's vectors, and a fetch is a call of some 50 instructions. LANES threads therefore
// fetch a row of x each and hand its numbers round (include/lanes.glsl). One thread computes ROWS x 4 QUADS outputs, STRIP quads
// of them at a time, over 16 columns of k at a time: the sums of two rows stay in registers meanwhile, and the loop in the CPU's
// cache of decoded instructions (larger tiles need fewer instructions a product and run at half the speed). Sums are those of the
// other two, in their order; those of int8 times int4 are integers (include/rowpairs.glsl).
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
layout(constant_id = 8) const bool LONG = false; // A8: a row of int8 weights has more than EXACT words
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
#if defined(A8)
    uvec4 word = XWORD(from + at);
    EACHSTEP a[s] = bytes4(word[s]);
#else
    EACHSTEP {
        a[s] = texelFetch(x, int(from + 4u * at + s));
        if (KPL < 16u && 16u * at + 4u * s >= K) a[s] = vec4(0.0);
    }
#endif
}

#if defined(A8)
// The scale of a block of x, of this thread's row j.
float rowScale(uint words, uint block, uint m0, uint j) {
    uint at = roundedScale(M, words, block, min(m0 + j * LANES + LANE, M - 1u));
    return uintBitsToFloat(XWORD(at / 4u)[at % 4u]);
}

// That of row i.
#define ROWSCALE(own, i) FROMLANE(own[(i) / LANES], (i) % LANES)
#endif

#if defined(A8) && defined(Q4G)
#include "rowpairs.glsl"
#else
// Adds what word at of 16 columns of k gives; int4 weights have their scales from the start.
#if defined(Q4G)
#define SCALED(b, q, at) { vec4 by = groupScales(panels, words, quad + q, (at) / 2u); EACHCOLUMN EACHSTEP b[q][c][s] *= by[c]; }
#else
#define SCALED(b, q, at)
#endif
#define ADDWORD(at, acc) { \
    vec4 a[ROWS / LANES][4], b[STRIP][4][4]; \
    EACHOWN numbers(from[j], at, a[j]); \
    EACHQUAD { columns(slot + q, words, at, b[q]); SCALED(b, q, at) } \
    [[unroll]] for (uint r = 0; r < ROWS / PAIR; r++) EACHSTEP [[unroll]] for (uint e = 0; e < 4; e++) [[unroll]] for (uint z = 0; z < PAIR; z++) { \
        uint i = PAIR * r + z; \
        float v = FROMLANE(a[i / LANES][s][e], i % LANES); \
        EACHQUAD EACHCOLUMN acc[i][q][c] = fma(v, b[q][c][s][e], acc[i][q][c]); \
    } }

// The sums of rows m0 .. m0 + ROWS - 1 with the columns of quads from quad on.
void sums(uint panels, uint words, uint quad, uint m0, out vec4 total[ROWS][STRIP]) {
    uint steps = (K + 15u) / 16u, slot = quad / 16u * words * 64u + quad % 16u, from[ROWS / LANES];
    EACHROW EACHQUAD total[i][q] = vec4(0.0);
#if defined(A8) // runs of exact integers, which end where a scale does, or a float32's integers
    uint run = BLOCK != 0u ? BLOCK : LONG ? EXACT : steps, at = 0;
    float own[ROWS / LANES];
    ivec4 whole[ROWS][STRIP];
    EACHROW EACHQUAD whole[i][q] = ivec4(0);
    OWNROWS(from, ROWS, m0, M, steps)
    do { // loops ask at their ends: an ask at the start runs the body once more with all lanes off
        uint end = min(at + run, steps);
        vec4 acc[ROWS][STRIP];
        EACHROW EACHQUAD acc[i][q] = vec4(0.0);
        if (BLOCK != 0u) EACHOWN own[j] = rowScale(steps, at / BLOCK, m0, j);
        do {
            ADDWORD(at, acc)
            at++;
        } while (at < end);
        EACHROW EACHQUAD {
            if (BLOCK != 0u) total[i][q] = fma(vec4(ROWSCALE(own, i)), acc[i][q], total[i][q]);
            else if (LONG) whole[i][q] += ivec4(acc[i][q]);
            else total[i][q] = acc[i][q];
        }
    } while (at < steps);
    if (BLOCK == 0u) {
        EACHOWN own[j] = rowScale(steps, 0u, m0, j);
        EACHROW EACHQUAD total[i][q] = ROWSCALE(own, i) * (LONG ? vec4(whole[i][q]) : total[i][q]);
    }
#else
    OWNROWS(from, ROWS, m0, M, K / 4u)
    for (uint at = 0; m0 < M && at < steps; at++) ADDWORD(at, total) // asking at the end is 5% slower here
#endif
}
#endif

void main() {
    uint panels = (N + 63u) / 64u, words = (K + KPL - 1u) / KPL, tiles = (N + 4u * LANES * QUADS - 1u) / (4u * LANES * QUADS) * LANES;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    vec4 acc[ROWS][QUADS];
    [[unroll]] for (uint t = 0; t < QUADS; t += STRIP) { // one loop after the other, each within that cache
        vec4 sum[ROWS][STRIP];
        sums(panels, words, quad + t, m0, sum);
        EACHQUAD {
            vec4 columns = scales(panels, words, quad + t + q), shift = shiftOf(quad + t + q);
            EACHROW acc[i][t + q] = fma(sum[i][q], columns, shift);
        }
    }
    epilogue(m0, quad, acc);
}
