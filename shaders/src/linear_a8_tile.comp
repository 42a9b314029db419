// Frozen linear layer over int8 activations as linear_a8.comp, for GPUs with fast shared memory: a group of threads
// computes BM rows x 64 columns. It stages 4 words of 16 channels of both operands at a time, with a row stride of 5 words,
// so that 128-bit reads meet no bank twice; thread t has the column quad t mod 16 and every (BM/ROWS)th row from t/16 on.
// Reference: sdk/internal/ref/linear.go, activations.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 8;
layout(constant_id = 7) const uint BLOCK = 0;    // words of 16 that share a scale: 1, 2, 4 and its multiples, 0 for all of a row
layout(constant_id = 9) const bool WIDE = false; // N and R are multiples of 4, and K of 64
const uint QUADS = 1, DEPTH = 4, STRIDE = DEPTH + 1;
const uint ROWSTEP = gl_WorkGroupSize.x / 16, BM = ROWS * ROWSTEP;

#include "load.glsl"
#include "weights.glsl"
#include "int8.glsl"
#include "rounded.glsl"
#include "epilogue.glsl"

shared uvec4 tileX[BM * STRIDE], tileW[64 * STRIDE];

#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHCOLUMN [[unroll]] for (uint c = 0; c < 4; c++)

float rowScale(uint xwords, uint block, uint m) {
    uint at = roundedScale(M, xwords, block, min(m, M - 1u));
    return uintBitsToFloat(x[at / 4u][at % 4u]);
}

// Whether word g of the tile that begins with word g0 of x ends a run of span words, a divisor or a multiple of DEPTH.
bool ends(uint span, uint g0, uint g, uint xwords) {
    return span < DEPTH ? (g + 1u) % span == 0u : g + 1u == DEPTH && ((g0 + DEPTH) % span == 0u || g0 + DEPTH >= xwords);
}

void main() {
    uint panels = (N + 63u) / 64u, xwords = (K + 15u) / 16u, words = (K + KPL - 1u) / KPL, group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    uint thread = gl_LocalInvocationID.x, column = thread % 16u, panel = group % panels, tile = group / panels * BM, m0 = tile + thread / 16u;
    uint quad = panel * 16u + column;
    int acc[ROWS][4];
    vec4 total[ROWS][QUADS];
    EACHROW { EACHCOLUMN acc[i][c] = 0; total[i][0] = vec4(0.0); }
    for (uint g0 = 0; g0 < xwords; g0 += DEPTH) {
        [[unroll]] for (uint l = 0; l < BM * DEPTH; l += gl_WorkGroupSize.x) {
            uint e = l + thread, row = e / DEPTH, g = e % DEPTH;
            uvec4 word = x[min(tile + row, M - 1u) * xwords + (WIDE ? g0 + g : min(g0 + g, xwords - 1u))];
            tileX[row * STRIDE + g] = WIDE || g0 + g < xwords ? word : uvec4(0);
        }
        [[unroll]] for (uint l = 0; l < 64u * DEPTH / XWORDS; l += gl_WorkGroupSize.x) {
            uint e = l + thread, slot = e % 64u, g = e / 64u;
            uvec4 word = WORD((panel * words + (WIDE ? g0 / XWORDS + g : min(g0 / XWORDS + g, words - 1u))) * 64u + slot);
            [[unroll]] for (uint p = 0; p < XWORDS; p++) tileW[slot * STRIDE + g * XWORDS + p] = int8s(word, p);
        }
        barrier();
        [[unroll]] for (uint g = 0; g < DEPTH; g++) {
            uvec4 a[ROWS];
            EACHROW a[i] = tileX[(thread / 16u + i * ROWSTEP) * STRIDE + g];
            EACHCOLUMN {
                uvec4 b = tileW[(column + 16u * c) * STRIDE + g];
                EACHROW [[unroll]] for (uint s = 0; s < 4; s++) acc[i][c] = product(a[i][s], b[s], 0u, acc[i][c]);
            }
            if (BLOCK != 0u && ends(BLOCK, g0, g, xwords) || GROUP != 0u && ends(GROUP * XWORDS, g0, g, xwords)) {
                uint at = min(g0 + g, xwords - 1u);
                vec4 by = groupScales(panels, words, quad, at / XWORDS);
                EACHROW {
                    float scale = 1.0;
                    if (BLOCK != 0u) scale = rowScale(xwords, at / BLOCK, m0 + i * ROWSTEP);
                    EACHCOLUMN { total[i][0][c] = fma(scale * by[c], float(acc[i][c]), total[i][0][c]); acc[i][c] = 0; }
                }
            }
        }
        barrier();
    }
    if (BLOCK == 0u) EACHROW {
        float scale = rowScale(xwords, 0u, m0 + i * ROWSTEP);
        EACHCOLUMN total[i][0][c] = scale * (GROUP != 0u ? total[i][0][c] : float(acc[i][c]));
    }
    vec4 columns = scales(panels, words, quad) * WUNIT, shift = shiftOf(quad);
    EACHROW total[i][0] = fma(total[i][0], columns, shift);
    epilogue(m0, quad, total);
}
