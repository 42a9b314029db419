// Input gradient of a frozen linear layer over int8 gradients, over the same panels as the forward pass:
//
//   dx = (sum over blocks of scale[block] (q W)) * dgelu
//
// q int8 [M, N], dy with the column scales of W in it, and a scale for each BLOCK words of a row or for the whole row
// (include/rounded.glsl, quantize.comp); W int8 [N, K] in panels (include/weights.glsl); dx, dgelu [M, K]; with GELU dgelu is what
// the layer below stored for its GELU. One thread computes ROWS x 4 QUADS outputs, of the numbers that one 128-bit word of W holds.
// The sums of a block are exact integers; scaled sums are float32 in increasing n.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 3) const bool QUARTERS = false; // words are loaded a step at a time: fewer registers
layout(constant_id = 7) const uint BLOCK = 0;    // words of 16 that share a scale; 0 for all of a row
layout(constant_id = 8) const bool LONG = false; // a row has more than EXACT words
layout(constant_id = 9) const bool WIDE = false; // K is a multiple of 4

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

#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHQUAD [[unroll]] for (uint q = 0; q < QUADS; q++)

float rowScale(uint words, uint block, uint m) {
    uint at = roundedScale(M, words, block, min(m, M - 1u));
    return uintBitsToFloat(XWORD(at / 4u)[at % 4u]);
}

// Adds what four of a word of q, of each row, and four rows of W give; those are in slots of words, of which quad s is the first.
void addRows(uint four[ROWS], uint slot, uint s, inout SUMS acc[ROWS][QUADS]) {
    EACHQUAD {
        uvec4 rows;
        [[unroll]] for (uint c = 0; c < 4; c++) rows[c] = WORD(slot + 16u * c)[s + q];
        STEP b[4];
        columns4(rows, b);
        EACHROW {
            STEP a = step4(four[i]);
            [[unroll]] for (uint p = 0; p < PARTS; p++) [[unroll]] for (uint e = 0; e < 4; e++)
                acc[i][q][e] = product(a, b[e], p, acc[i][q][e]);
        }
    }
}

void main() {
    uint groups = (K + 15u) / 16u, words = (N + 15u) / 16u, tiles = groups * 4u / QUADS, id = flatIndex();
    uint quad = id % tiles * QUADS, g = quad / 4u, s = quad % 4u, m0 = id / tiles * ROWS;
    if (m0 >= M) return;
    SUMS acc[ROWS][QUADS];
    vec4 total[ROWS][QUADS];
    ivec4 whole[ROWS][QUADS];
    EACHROW EACHQUAD { acc[i][q] = SUMS(0); total[i][q] = vec4(0.0); whole[i][q] = ivec4(0); }
    for (uint n = 0; n < words; n++) {
        uint slot = (n / 4u * groups + g) * 64u + n % 4u * 4u;
        if (QUARTERS) [[dont_unroll]] for (uint z = 0; z < 4; z++) {
            uint four[ROWS];
            EACHROW four[i] = XWORD(min(m0 + i, M - 1u) * words + n)[z];
            addRows(four, slot + z, s, acc);
        } else {
            uvec4 from[ROWS];
            EACHROW from[i] = XWORD(min(m0 + i, M - 1u) * words + n);
            [[unroll]] for (uint z = 0; z < 4; z++) {
                uint four[ROWS];
                EACHROW four[i] = from[i][z];
                addRows(four, slot + z, s, acc);
            }
        }
        if (BLOCK != 0u && ((n + 1u) % BLOCK == 0u || n + 1u == words)) EACHROW {
            float scale = rowScale(words, n / BLOCK, m0 + i);
            EACHQUAD { total[i][q] = fma(vec4(scale), vec4(acc[i][q]), total[i][q]); acc[i][q] = SUMS(0); }
        }
#if !defined(DOT)
        if (LONG && (n + 1u) % EXACT == 0u) EACHROW EACHQUAD { whole[i][q] += ivec4(acc[i][q]); acc[i][q] = SUMS(0); }
#endif
    }
    EACHROW {
        float scale = BLOCK == 0u ? rowScale(words, 0u, m0 + i) : 1.0;
        EACHQUAD {
            uint m = m0 + i, k = 4u * (quad + q), at = m * K + k;
            vec4 v = BLOCK != 0u ? total[i][q] : scale * (LONG ? vec4(whole[i][q] + ivec4(acc[i][q])) : vec4(acc[i][q]));
            if (m < M && k < K) {
#if defined(GELU)
                v *= LOAD4(dgelu, at, K - k);
#endif
                STORE4(dx, at, K - k, v)
            }
        }
    }
}
