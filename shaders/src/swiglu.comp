// SwiGLU: y = silu(a) b with [a, b] = x, silu(a) = a / (1 + exp(-a)). x [M, 2 hidden], y [M, hidden], count = M hidden.
// BACKWARD: da = dy b s (1 + a (1 - s)), db = dy a s, s = 1 / (1 + exp(-a)). dy [M, hidden], dx [M, 2 hidden].
// One thread an element of y. All float32. Reference: sdk/internal/ref/swiglu.go. Source: Shazeer, GLU Variants (2020).
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
#if defined(BACKWARD)
layout(std430, set = 0, binding = 1) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 2) writeonly buffer DX { float dx[]; };
#else
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint count; uint hidden; };

#include "load.glsl"

void main() {
    uint i = flatIndex();
    if (i >= count) return;
    uint at = i + i / hidden * hidden;
    float a = x[at];
    float b = x[at + hidden];
    float s = 1.0 / (1.0 + exp(-a));
#if defined(BACKWARD)
    dx[at] = dy[i] * b * s * (1.0 + a * (1.0 - s));
    dx[at + hidden] = dy[i] * a * s;
#else
    y[i] = a * s * b;
#endif
}
