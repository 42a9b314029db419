// Weight gradient of a trainable layer, cut into slices of the summed axis:
//
//   part[z] = sum over rows m of slice z of dy[m]t x[m]
//
// dy [M, N]; x [M, K]; part [slices, N, K]. reduce.comp adds the slices in order. One thread computes 4 x 4 outputs of
// one slice; sums are float32 in increasing m. Slices depend on M alone, so the bits do too.
// Reference: sdk/internal/ref/matmul.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "load.glsl"

VEC4S(0, dy);
VEC4S(1, x);
layout(std430, set = 0, binding = 2) writeonly buffer Part { float part[]; };
layout(push_constant) uniform Push { uint M, N, K, slices; };

void main() {
    uint quadsK = (K + 3u) / 4u, quadsN = (N + 3u) / 4u, id = flatIndex();
    uint k0 = id % quadsK * 4u, n0 = id / quadsK % quadsN * 4u, z = id / (quadsK * quadsN);
    if (z >= slices) return;
    uint rows = (M + slices - 1u) / slices, end = min((z + 1u) * rows, M);
    vec4 acc[4];
    [[unroll]] for (uint i = 0; i < 4; i++) acc[i] = vec4(0.0);
    for (uint m = z * rows; m < end; m++) {
        vec4 d = LOAD4(dy, m * N + n0, N - n0), v = LOAD4(x, m * K + k0, K - k0);
        [[unroll]] for (uint i = 0; i < 4; i++) acc[i] = fma(vec4(d[i]), v, acc[i]);
    }
    [[unroll]] for (uint i = 0; i < 4; i++) [[unroll]] for (uint j = 0; j < 4; j++)
        if (n0 + i < N && k0 + j < K) part[(z * N + n0 + i) * K + k0 + j] = acc[i][j];
}
