// Input gradient of a frozen linear layer, over the same panels as the forward pass:
//
//   dx = ((dy * scale) W) * dgelu
//
// dy float32 [M, N]; W [N, K] in panels with its scales (include/weights.glsl); dx, dgelu [M, K]; with GELU dgelu is
// what the layer below stored for its GELU. One thread computes ROWS x 4 QUADS outputs: those of whole 128-bit words of W
// or of a part of one, so nothing is transposed. Sums are float32 in increasing n.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1; // a multiple of STEPS, or at most that and a divisor of it
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "tiles.glsl"
#include "weights.glsl"

VEC4S(0, dy);
#if defined(GELU)
VEC4S(2, dgelu);
layout(std430, set = 0, binding = 3) writeonly buffer DX { vec4 dx[]; };
#else
layout(std430, set = 0, binding = 2) writeonly buffer DX { vec4 dx[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K; };

void main() {
    uint panels = (N + 63u) / 64u, words = (K + KPL - 1u) / KPL, tiles = (words * STEPS + QUADS - 1u) / QUADS;
    if (groupIndex() >= tiles * ((M + ROWS - 1u) / ROWS)) return;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    vec4 acc[ROWS][QUADS];
    EACHROW EACHQUAD acc[i][q] = vec4(0.0);
    uint from[ROWS], n = 0;
    FROM(from, ROWS, m0, M, N / UNIT)
    do {
        vec4 scale = scales(panels, words, n / 4u), d[ROWS];
        EACHROW d[i] = LOADAT(dy, from[i] + n / UNIT, N - n) * scale;
        uint slot = n / 64u * words * 64u + n % 64u / 4u;
        [[unroll]] for (uint first = 0; first < QUADS; first += STEPS) {
            uint g = min((quad + first) / STEPS, words - 1u);
            vec4 by = groupScales(panels, words, n / 4u, g), e[ROWS];
            EACHROW e[i] = d[i] * by;
            uvec4 word[4];
            if (QUADS >= STEPS) EACHCOLUMN word[c] = WORD(slot + g * 64u + 16u * c);
            [[unroll]] for (uint s = 0; s < min(STEPS, QUADS); s++) {
                EACHCOLUMN { // one at a time: few registers
                    vec4 b = QUADS >= STEPS ? widen(word[c], s) : WIDENED(slot + g * 64u + 16u * c, quad % STEPS + s);
                    EACHROW acc[i][first + s] = fma(vec4(e[i][c]), b, acc[i][first + s]);
                }
            }
        }
        n += 4u;
    } while (n < N);
    EACHROW EACHQUAD {
        uint m = m0 + i, k = (quad + q) * 4u, at = m * K + k;
        if (m < M && k < K) {
            vec4 v = acc[i][q];
#if defined(GELU)
            v *= LOAD4(dgelu, at, K - k);
#endif
            STORE4(dx, at, K - k, v)
        }
    }
}
