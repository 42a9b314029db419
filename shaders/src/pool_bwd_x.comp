// Gradient of pool.comp: dy [B, F] spread over the tokens dx [B T, D], every element written. One thread each.
// Reference: sdk/internal/ref/pool.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 1) writeonly buffer DX { float dx[]; };
layout(push_constant) uniform Push { uint B, T, D, P, cls, mean; };

#include "load.glsl"

void main() {
    uint id = flatIndex(), c = id % D, t = id / D % T, b = id / (D * T);
    if (b >= B) return;
    uint at = b * D * (cls + mean) + c;
    float g = 0.0;
    if (cls == 1u && t == 0u) g += dy[at];
    if (mean == 1u && t >= P) g += dy[at + D * cls] / float(T - P);
    dx[id] = g;
}
