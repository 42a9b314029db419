// Features of an image from its tokens: token 0, the mean of the tokens from P on, or both side by side.
//
// x [B T, D]; y [B, F], F = D or 2 D. One thread computes one feature; the mean sums tokens in increasing order.
// Reference: sdk/internal/ref/pool.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
layout(push_constant) uniform Push { uint B, T, D, P, cls, mean; }; // cls, mean: 1 where that part is wanted

#include "load.glsl"

void main() {
    uint F = D * (cls + mean), id = flatIndex(), b = id / F, f = id % F;
    if (b >= B) return;
    uint at = b * T * D + f % D;
    if (f < D * cls) {
        y[id] = x[at];
        return;
    }
    float sum = 0.0;
    for (uint t = P; t < T; t++) sum += x[at + t * D];
    y[id] = sum / float(T - P);
}
