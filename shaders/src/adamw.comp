// One step of AdamW over all parameters:
//
//   m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2;  p = p - lr ((m / c1) / (sqrt(v / c2) + eps) + weightDecay p)
//
// p, g, m, v [count]; rates [3] = lr, c1, c2. One thread per parameter. Reference: sdk/internal/ref/adamw.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer G { float g[]; };
layout(std430, set = 0, binding = 1) readonly buffer Rates { float rates[]; };
layout(std430, set = 0, binding = 2) buffer P { float p[]; };
layout(std430, set = 0, binding = 3) buffer M { float m[]; };
layout(std430, set = 0, binding = 4) buffer V { float v[]; };
layout(push_constant) uniform Push { uint count; float beta1, beta2, rest1, rest2, eps, weightDecay; };

#include "load.glsl"

void main() {
    uint i = flatIndex();
    if (i >= count) return;
    float first = fma(beta1, m[i], rest1 * g[i]), second = fma(beta2, v[i], rest2 * g[i] * g[i]);
    m[i] = first;
    v[i] = second;
    p[i] = fma(-rates[0], first / rates[1] / (sqrt(second / rates[2]) + eps) + weightDecay * p[i], p[i]);
}
