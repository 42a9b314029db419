// Float layer with both operands contiguous in the summed axis:
//
//   affine      y = x wt + bias
//   RELU        y = ReLU(x wt + bias); DROPOUT: with masks by Philox2x32 (include/philox.glsl)
//   TOKENS      y = x wt + bias + pos for patches, y = prefix for the first P tokens of an image (see patchembed.comp)
//
// x [M, K]; w [N, K]; bias [N]; y [M, N]; key [1]; prefix [P, N]; pos [T - P, N], T tokens an image. One thread computes ROWS x 4 outputs; sums are float32 in
// increasing k. Reference: sdk/internal/ref/matmul.go, adaptdown.go, patchembed.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 9) const bool WIDE = false; // K is a multiple of 4

#include "load.glsl"

VEC4S(0, x);
VEC4S(1, w);
layout(std430, set = 0, binding = 2) readonly buffer Bias { float bias[]; };
#if defined(DROPOUT)
layout(std430, set = 0, binding = 3) readonly buffer Key { uint key[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint M, N, K, stream, dropBelow; float keepScale; };
#elif defined(TOKENS)
layout(std430, set = 0, binding = 3) readonly buffer Prefix { float prefix[]; };
layout(std430, set = 0, binding = 4) readonly buffer Pos { float pos[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint M, N, K, T, P; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint M, N, K; };
#endif

#include "philox.glsl"

void main() {
    uint quads = (N + 3u) / 4u, id = flatIndex(), n0 = id % quads * 4u, m0 = id / quads * ROWS;
    if (m0 >= M) return;
    float acc[ROWS][4];
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = 0.0;
    for (uint k = 0; k < K; k += 4u) {
        vec4 b[4];
        [[unroll]] for (uint c = 0; c < 4; c++) b[c] = LOAD4(w, min(n0 + c, N - 1u) * K + k, K - k);
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            vec4 a = LOAD4(x, min(m0 + i, M - 1u) * K + k, K - k);
            [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = dot4(a, b[c], acc[i][c]);
        }
    }
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) {
        uint m = m0 + i, n = n0 + c;
        if (m >= M || n >= N) continue;
        float v = acc[i][c] + bias[n];
#if defined(RELU)
        v = max(v, 0.0);
#endif
#if defined(DROPOUT)
        v = philox(m * N + n, stream, key[0]) < dropBelow ? 0.0 : v * keepScale;
#endif
#if defined(TOKENS)
        uint t = m % T;
        v = t < P ? prefix[t * N + n] : v + pos[(t - P) * N + n];
#endif
        y[m * N + n] = v;
    }
}
