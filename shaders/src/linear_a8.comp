// Frozen linear layer over int8 activations, with its epilogue (include/epilogue.glsl):
//
//   a = columns * (sum over runs of scale[block] group[column] (q Wt)) + bias
//
// q int8 [M, K] with a scale for each block of BLOCK words of a row, or for the whole row (include/rounded.glsl); W int8, or
// int4 in groups, in panels with its scales (include/weights.glsl). A run ends where a block or a group does. One thread
// computes ROWS x 4 QUADS outputs and loads what it needs itself, as in linear.comp. The sums of a run are exact integers,
// whatever the tile; scaled sums are float32 in increasing k. A thread widens SPAN quads of k of its columns at a time.
// Reference: sdk/internal/ref/linear.go, activations.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 4; // a multiple of 4, or 2
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 3) const uint SPAN = 1;
layout(constant_id = 4) const bool QUARTERS = false; // words are loaded a step at a time: fewer registers
layout(constant_id = 7) const uint BLOCK = 0;    // words of 16 that share a scale; 0 for all of a row
layout(constant_id = 8) const bool LONG = false; // a row of int8 weights has more than EXACT words
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

// Scale of row m0 + i.
float rowScale(uint xwords, uint block, uint m0, uint i) {
    uint fours = (M + 3u) / 4u, four = ROWS < 4u ? (m0 + i) / 4u : m0 / 4u + i / 4u;
    return uintBitsToFloat(XWORD(M * xwords + block * fours + min(four, fours - 1u))[ROWS < 4u ? (m0 + i) % 4u : i % 4u]);
}

// Whether word at of a row of x, number h of those that meet one of W, ends a block. Where all blocks end with a word of W,
// other words do not.
bool endsBlock(uint at, uint xwords, uint h) {
    return BLOCK != 0u && (h + 1u == XWORDS || BLOCK % XWORDS != 0u) && ((at + 1u) % BLOCK == 0u || at + 1u >= xwords);
}

void main() {
    uint panels = (N + 63u) / 64u, xwords = (K + 15u) / 16u, words = (K + KPL - 1u) / KPL, tiles = panels * 16u / QUADS;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    SUMS acc[ROWS][QUADS];
    vec4 total[ROWS][QUADS];
    ivec4 whole[ROWS][QUADS];
    EACHROW EACHQUAD { acc[i][q] = SUMS(0); total[i][q] = vec4(0.0); whole[i][q] = ivec4(0); }
    uint slot = quad / 16u * words * 64u + quad % 16u;
    if (m0 < M) for (uint g = 0; g < words; g++, slot += 64u) {
        uvec4 word[QUADS][4];
        if (!QUARTERS) EACHQUAD EACHCOLUMN word[q][c] = WORD(slot + q + 16u * c);
        [[unroll]] for (uint h = 0; h < XWORDS; h++) {
            uint at = g * XWORDS + h; // behind the last word of x W is zero, and the next row or the scales are read
            if (QUARTERS) [[dont_unroll]] for (uint s = 0; s < 4u; s++) {
                STEP b[QUADS][4];
                EACHQUAD EACHCOLUMN b[q][c] = WEIGHT4(slot + q + 16u * c, 4u * h + s);
                EACHROW {
                    STEP a = step4(XWORD(min(m0 + i, M - 1u) * xwords + at)[s]);
                    EACHPART EACHQUAD EACHCOLUMN acc[i][q][c] = product(a, b[q][c], p, acc[i][q][c]);
                }
            } else [[unroll]] for (uint s0 = 0; s0 < 4u; s0 += SPAN) {
                STEP b[QUADS][4][SPAN];
                EACHQUAD EACHCOLUMN [[unroll]] for (uint s = 0; s < SPAN; s++) b[q][c][s] = weight4(word[q][c], 4u * h + s0 + s);
                EACHROW {
                    uvec4 from = XWORD(min(m0 + i, M - 1u) * xwords + at);
                    STEP a[SPAN];
                    [[unroll]] for (uint s = 0; s < SPAN; s++) a[s] = step4(from[s0 + s]);
                    [[unroll]] for (uint s = 0; s < SPAN; s++) EACHPART EACHQUAD EACHCOLUMN
                        acc[i][q][c] = product(a[s], b[q][c][s], p, acc[i][q][c]);
                }
            }
            if (endsBlock(at, xwords, h) || h + 1u == XWORDS && endsGroup(g, words)) {
                vec4 by[QUADS];
                EACHQUAD by[q] = groupScales(panels, words, quad + q, g);
                EACHROW {
                    float scale = 1.0;
                    if (BLOCK != 0u) scale = rowScale(xwords, min(at, xwords - 1u) / BLOCK, m0, i);
                    EACHQUAD {
                        total[i][q] = fma(scale * by[q], vec4(acc[i][q]), total[i][q]);
                        acc[i][q] = SUMS(0);
                    }
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
    if (BLOCK == 0u) EACHROW EACHQUAD {
        vec4 sum = GROUP != 0u ? total[i][q] : LONG ? vec4(whole[i][q] + ivec4(acc[i][q])) : vec4(acc[i][q]);
        total[i][q] = rowScale(xwords, 0u, m0, i) * sum;
    }
    EACHQUAD {
        vec4 columns = scales(panels, words, quad + q) * WUNIT, shift = shiftOf(quad + q);
        EACHROW total[i][q] = fma(total[i][q], columns, shift);
    }
    epilogue(m0, quad, total);
}
