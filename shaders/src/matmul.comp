// Float product with the second operand contiguous in the output axis:
//
//   matmul      c = base + a b                                BASE: base is added, c may be base itself
//   MASK        c = scale (a b) where h > 0, else 0           the gradient at AdaptMLP's hidden sums
//
// a [M, N]; b [N, K]; base, h, c [M, K]. One thread computes ROWS x 4 outputs; sums are float32 in increasing n.
// Reference: sdk/internal/ref/matmul.go, adaptdown.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "load.glsl"

VEC4S(0, a);
VEC4S(1, b);
#if defined(BASE)
layout(std430, set = 0, binding = 2) buffer C { float c[]; };
#elif defined(MASK)
layout(std430, set = 0, binding = 2) readonly buffer H { float h[]; };
layout(std430, set = 0, binding = 3) writeonly buffer C { float c[]; };
#else
layout(std430, set = 0, binding = 2) writeonly buffer C { float c[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K; float scale; };

void main() {
    uint quads = (K + 3u) / 4u, id = flatIndex(), k0 = id % quads * 4u, m0 = id / quads * ROWS;
    if (m0 >= M) return;
    vec4 acc[ROWS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) acc[i] = vec4(0.0);
    for (uint n = 0; n < N; n += 4u) {
        vec4 row[4];
        [[unroll]] for (uint j = 0; j < 4; j++) row[j] = LOAD4(b, min(n + j, N - 1u) * K + k0, K - k0);
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            vec4 f = LOAD4(a, min(m0 + i, M - 1u) * N + n, N - n); // zeros for rows of b beyond the last
            [[unroll]] for (uint j = 0; j < 4; j++) acc[i] = fma(vec4(f[j]), row[j], acc[i]);
        }
    }
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint j = 0; j < 4; j++) {
        uint m = m0 + i, k = k0 + j;
        if (m >= M || k >= K) continue;
        uint at = m * K + k;
#if defined(BASE)
        c[at] += acc[i][j];
#elif defined(MASK)
        c[at] = h[at] > 0.0 ? scale * acc[i][j] : 0.0;
#else
        c[at] = acc[i][j];
#endif
    }
}
