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

float rowScale(uint groups, uint block, uint m) {
    uint at = roundedScale(M, groups, block, min(m, M - 1u));
    return uintBitsToFloat(x[at / 4u][at % 4u]);
}

void main() {
    uint panels = (N + 63u) / 64u, groups = (K + 15u) / 16u, group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    uint thread = gl_LocalInvocationID.x, column = thread % 16u, panel = group % panels, tile = group / panels * BM, m0 = tile + thread / 16u;
    int acc[ROWS][4];
    vec4 total[ROWS][QUADS];
    EACHROW { EACHCOLUMN acc[i][c] = 0; total[i][0] = vec4(0.0); }
    for (uint g0 = 0; g0 < groups; g0 += DEPTH) {
        [[unroll]] for (uint l = 0; l < BM * DEPTH; l += gl_WorkGroupSize.x) {
            uint e = l + thread, row = e / DEPTH, g = e % DEPTH;
            uvec4 word = x[min(tile + row, M - 1u) * groups + (WIDE ? g0 + g : min(g0 + g, groups - 1u))];
            tileX[row * STRIDE + g] = WIDE || g0 + g < groups ? word : uvec4(0);
        }
        [[unroll]] for (uint l = 0; l < 64u * DEPTH; l += gl_WorkGroupSize.x) {
            uint e = l + thread, slot = e % 64u, g = e / 64u;
            tileW[slot * STRIDE + g] = WORD((panel * groups + (WIDE ? g0 + g : min(g0 + g, groups - 1u))) * 64u + slot);
        }
        barrier();
        [[unroll]] for (uint g = 0; g < DEPTH; g++) {
            uvec4 a[ROWS];
            EACHROW a[i] = tileX[(thread / 16u + i * ROWSTEP) * STRIDE + g];
            EACHCOLUMN {
                uvec4 b = tileW[(column + 16u * c) * STRIDE + g];
                EACHROW [[unroll]] for (uint s = 0; s < 4; s++) acc[i][c] = product(a[i][s], b[s], 0u, acc[i][c]);
            }
            if (BLOCK != 0u && (BLOCK < DEPTH ? (g + 1u) % BLOCK == 0u : g + 1u == DEPTH && ((g0 + DEPTH) % BLOCK == 0u || g0 + DEPTH >= groups))) {
                EACHROW {
                    float scale = rowScale(groups, min(g0 + g, groups - 1u) / BLOCK, m0 + i * ROWSTEP);
                    EACHCOLUMN { total[i][0][c] = fma(scale, float(acc[i][c]), total[i][0][c]); acc[i][c] = 0; }
                }
            }
        }
        barrier();
    }
    if (BLOCK == 0u) EACHROW {
        float scale = rowScale(groups, 0u, m0 + i * ROWSTEP);
        EACHCOLUMN total[i][0][c] = scale * float(acc[i][c]);
    }
    uint quad = panel * 16u + column;
    vec4 columns = scales(panels, groups, quad), shift = shiftOf(quad);
    EACHROW total[i][0] = fma(total[i][0], columns, shift);
    epilogue(m0, quad, total);
}
