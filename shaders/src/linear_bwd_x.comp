// Input gradient of a frozen linear layer, over the same panels as the forward pass:
//
//   dx = ((dy * scale) W) * dgelu
//
// dy float32 [M, N]; W [N, K] in panels with its scales (include/weights.glsl); dx, dgelu [M, K]; with GELU dgelu is
// what the layer below stored for its GELU. One thread computes ROWS x KPL outputs: the KPL numbers that one 128-bit
// word of W holds, so nothing is transposed. Sums are float32 in increasing n.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "load.glsl"
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
    uint panels = (N + 63u) / 64u, groups = (K + KPL - 1u) / KPL;
    uint id = flatIndex(), g = id % groups, m0 = id / groups * ROWS;
    if (m0 >= M) return;
    vec4 acc[ROWS][STEPS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint s = 0; s < STEPS; s++) acc[i][s] = vec4(0.0);
    for (uint n = 0; n < N; n += 4u) {
        vec4 scale = scales(panels, groups, n / 4u), d[ROWS];
        [[unroll]] for (uint i = 0; i < ROWS; i++) d[i] = LOAD4(dy, min(m0 + i, M - 1u) * N + n, N - n) * scale;
        uint slot = (n / 64u * groups + g) * 64u + n % 64u / 4u;
        uvec4 word[4];
        [[unroll]] for (uint c = 0; c < 4; c++) word[c] = WORD(slot + 16u * c);
        [[unroll]] for (uint s = 0; s < STEPS; s++) {
            vec4 b[4]; // one step at a time: few registers
            [[unroll]] for (uint c = 0; c < 4; c++) b[c] = widen(word[c], s);
            [[unroll]] for (uint i = 0; i < ROWS; i++)
                [[unroll]] for (uint c = 0; c < 4; c++) acc[i][s] = fma(vec4(d[i][c]), b[c], acc[i][s]);
        }
    }
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint s = 0; s < STEPS; s++) {
        uint m = m0 + i, k = g * KPL + 4u * s, at = m * K + k;
        if (m < M && k < K) {
#if defined(GELU)
            acc[i][s] *= LOAD4(dgelu, at, K - k);
#endif
            STORE4(dx, at, K - k, acc[i][s])
        }
    }
}
