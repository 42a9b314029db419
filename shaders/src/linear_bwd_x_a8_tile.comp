// Input gradient of a frozen linear layer over int8 gradients as linear_bwd_x_a8.comp, for GPUs with fast shared memory: a
// group computes BM rows x 64 columns. It stages 64 rows of W at a time, transposed four by four bytes in registers; column
// k of the 64 goes to slot k/4 + 16 (k mod 4), so that thread t, with slots t, t+16, t+32 and t+48 (t < 16), owns four
// adjacent columns, and every (BM/ROWS)th row from t/16 on.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 8;
layout(constant_id = 7) const uint BLOCK = 0;    // words of 16 that share a scale: a multiple of 4, or 0 for all of a row
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 64
const uint DEPTH = 4, STRIDE = DEPTH + 1;
const uint ROWSTEP = gl_WorkGroupSize.x / 16, BM = ROWS * ROWSTEP;

#include "load.glsl"
#include "weights.glsl"
#include "int8.glsl"
#include "rounded.glsl"

#if defined(GELU)
VEC4S(2, dgelu);
layout(std430, set = 0, binding = 3) writeonly buffer DX { vec4 dx[]; };
#else
layout(std430, set = 0, binding = 2) writeonly buffer DX { vec4 dx[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K; };

shared uvec4 tileX[BM * STRIDE];
shared uint tileW[64 * STRIDE * 4];

#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHCOLUMN [[unroll]] for (uint c = 0; c < 4; c++)

float rowScale(uint words, uint block, uint m) {
    uint at = roundedScale(M, words, block, min(m, M - 1u));
    return uintBitsToFloat(x[at / 4u][at % 4u]);
}

void main() {
    uint groups = (K + 15u) / 16u, words = (N + 15u) / 16u, tiles = (K + 63u) / 64u, group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    uint thread = gl_LocalInvocationID.x, column = thread % 16u, g0 = group % tiles * 4u, tile = group / tiles * BM, m0 = tile + thread / 16u;
    int acc[ROWS][4];
    vec4 total[ROWS];
    EACHROW { EACHCOLUMN acc[i][c] = 0; total[i] = vec4(0.0); }
    for (uint n0 = 0; n0 < words; n0 += DEPTH) {
        [[unroll]] for (uint l = 0; l < BM * DEPTH; l += gl_WorkGroupSize.x) {
            uint e = l + thread, row = e / DEPTH, n = e % DEPTH;
            uvec4 word = x[min(tile + row, M - 1u) * words + (WIDE ? n0 + n : min(n0 + n, words - 1u))];
            tileX[row * STRIDE + n] = WIDE || n0 + n < words ? word : uvec4(0);
        }
        [[unroll]] for (uint l = 0; l < 128u; l += gl_WorkGroupSize.x) { // four rows and eight columns of W
            uint e = l + thread, n4 = e % 16u, g = e / 16u % 4u, pair = e / 64u * 2u;
            uint slot = (n0 / 4u * groups + (WIDE ? g0 + g : min(g0 + g, groups - 1u))) * 64u + n4;
            [[unroll]] for (uint s = 0; s < 2; s++) {
                uvec4 rows;
                EACHCOLUMN rows[c] = WORD(slot + 16u * c)[pair + s];
                uint b[4];
                columns4(rows, b);
                EACHCOLUMN tileW[(g * 4u + pair + s + 16u * c) * STRIDE * 4u + n4] = b[c];
            }
        }
        barrier();
        [[unroll]] for (uint n = 0; n < DEPTH; n++) {
            uvec4 a[ROWS];
            EACHROW a[i] = tileX[(thread / 16u + i * ROWSTEP) * STRIDE + n];
            EACHCOLUMN {
                uint at = ((column + 16u * c) * STRIDE + n) * 4u;
                uvec4 b = uvec4(tileW[at], tileW[at + 1u], tileW[at + 2u], tileW[at + 3u]);
                EACHROW [[unroll]] for (uint s = 0; s < 4; s++) acc[i][c] = product(a[i][s], b[s], 0u, acc[i][c]);
            }
        }
        barrier();
        if (BLOCK != 0u && ((n0 + DEPTH) % BLOCK == 0u || n0 + DEPTH >= words)) EACHROW {
            float scale = rowScale(words, n0 / BLOCK, m0 + i * ROWSTEP);
            EACHCOLUMN { total[i][c] = fma(scale, float(acc[i][c]), total[i][c]); acc[i][c] = 0; }
        }
    }
    EACHROW {
        uint m = m0 + i * ROWSTEP, k = g0 * 16u + 4u * column, at = m * K + k;
        if (BLOCK == 0u) EACHCOLUMN total[i][c] = rowScale(words, 0u, m) * float(acc[i][c]);
        if (m < M && k < K) {
#if defined(GELU)
            total[i] *= LOAD4(dgelu, at, K - k);
#endif
            STORE4(dx, at, K - k, total[i])
        }
    }
}
