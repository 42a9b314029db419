// One optimiser step over all parameters: v = momentum v + (g + weightDecay p); p = p - lr v.
//
// p, g, v [count]; lr [1]. One thread per parameter. Reference: sdk/internal/ref/sgd.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer G { float g[]; };
layout(std430, set = 0, binding = 1) readonly buffer LR { float lr[]; };
layout(std430, set = 0, binding = 2) buffer P { float p[]; };
layout(std430, set = 0, binding = 3) buffer V { float v[]; };
layout(push_constant) uniform Push { uint count; float momentum, weightDecay; };

#include "load.glsl"

void main() {
    uint i = flatIndex();
    if (i >= count) return;
    float step = fma(momentum, v[i], fma(weightDecay, p[i], g[i]));
    v[i] = step;
    p[i] = fma(-lr[0], step, p[i]);
}
