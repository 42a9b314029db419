// Frozen linear layer over int8 activations, with its epilogue (include/epilogue.glsl):
//
//   a = columns * (sum over blocks of scale[block] (q Wt)) + bias
//
// q int8 [M, K] with a scale for each block of BLOCK words of a row, or for the whole row (include/rounded.glsl); W int8 in
// panels with its column scales (include/weights.glsl). One thread computes ROWS x 4 QUADS outputs and loads what it needs
// itself, as in linear.comp. The sums of a block are exact integers, whatever the tile; scaled sums are float32 in
// increasing k. A thread widens SPAN quads of k of its columns at a time.
// Reference: sdk/internal/ref/linear.go, activations.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 4; // a multiple of 4
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 3) const uint SPAN = 1;
layout(constant_id = 7) const uint BLOCK = 0;    // words of 16 that share a scale; 0 for all of a row
layout(constant_id = 8) const bool LONG = false; // a row has more than EXACT words
layout(constant_id = 9) const bool WIDE = false; // N and R are multiples of 4
const uint ROWSTEP = 1;

#include "load.glsl"
#include "weights.glsl"
#include "int8.glsl"
#include "rounded.glsl"
#include "epilogue.glsl"

#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHQUAD [[unroll]] for (uint q = 0; q < QUADS; q++)
#define EACHPART [[unroll]] for (uint p = 0; p < PARTS; p++)
#define EACHCOLUMN [[unroll]] for (uint c = 0; c < 4; c++)

// Scales of rows m0 + 4 j .. m0 + 4 j + 3.
vec4 rowScales(uint groups, uint block, uint m0, uint j) {
    uint fours = (M + 3u) / 4u;
    return uintBitsToFloat(XWORD(M * groups + block * fours + min(m0 / 4u + j, fours - 1u)));
}

void main() {
    uint panels = (N + 63u) / 64u, groups = (K + 15u) / 16u, tiles = panels * 16u / QUADS;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    SUMS acc[ROWS][QUADS];
    vec4 total[ROWS][QUADS];
    ivec4 whole[ROWS][QUADS];
    EACHROW EACHQUAD { acc[i][q] = SUMS(0); total[i][q] = vec4(0.0); whole[i][q] = ivec4(0); }
    uint slot = quad / 16u * groups * 64u + quad % 16u;
    if (m0 < M) for (uint g = 0; g < groups; g++, slot += 64u) {
        uvec4 word[QUADS][4];
        EACHQUAD EACHCOLUMN word[q][c] = WORD(slot + q + 16u * c);
        [[unroll]] for (uint s0 = 0; s0 < 4u; s0 += SPAN) {
            STEP b[QUADS][4][SPAN];
            EACHQUAD EACHCOLUMN [[unroll]] for (uint s = 0; s < SPAN; s++) b[q][c][s] = step4(word[q][c], s0 + s);
            EACHROW {
                uvec4 from = XWORD(min(m0 + i, M - 1u) * groups + g);
                STEP a[SPAN];
                [[unroll]] for (uint s = 0; s < SPAN; s++) a[s] = step4(from, s0 + s);
                [[unroll]] for (uint s = 0; s < SPAN; s++) EACHPART EACHQUAD EACHCOLUMN
                    acc[i][q][c] = product(a[s], b[q][c][s], p, acc[i][q][c]);
            }
        }
        if (BLOCK != 0u && ((g + 1u) % BLOCK == 0u || g + 1u == groups)) {
            [[unroll]] for (uint j = 0; j < ROWS / 4u; j++) {
                vec4 scale = rowScales(groups, g / BLOCK, m0, j);
                [[unroll]] for (uint e = 0; e < 4; e++) EACHQUAD {
                    uint i = 4u * j + e;
                    total[i][q] = fma(vec4(scale[e]), vec4(acc[i][q]), total[i][q]);
                    acc[i][q] = SUMS(0);
                }
            }
        }
#if !defined(DOT)
        if (LONG && (g + 1u) % EXACT == 0u) EACHROW EACHQUAD {
            whole[i][q] += ivec4(acc[i][q]);
            acc[i][q] = SUMS(0);
        }
#endif
    }
    if (BLOCK == 0u) [[unroll]] for (uint j = 0; j < ROWS / 4u; j++) {
        vec4 scale = rowScales(groups, 0u, m0, j);
        [[unroll]] for (uint e = 0; e < 4; e++) EACHQUAD {
            uint i = 4u * j + e;
            total[i][q] = scale[e] * (LONG ? vec4(whole[i][q] + ivec4(acc[i][q])) : vec4(acc[i][q]));
        }
    }
    EACHQUAD {
        vec4 columns = scales(panels, groups, quad + q), shift = shiftOf(quad + q);
        EACHROW total[i][q] = fma(total[i][q], columns, shift);
    }
    epilogue(m0, quad, total);
}
