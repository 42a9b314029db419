// Input gradient of a frozen LayerNorm as layernorm_bwd_x.comp, for drivers that run on the CPU: one thread per row.
// D is a multiple of 4. Sums are float32 over every fourth channel, then over the four.
// Reference: sdk/internal/ref/layernorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 8;

#include "load.glsl"

VEC4S(0, x);
VEC4S(1, gamma);
layout(std430, set = 0, binding = 2) readonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 3) readonly buffer Rstd { float rstd[]; };
VEC4S(4, dy);
#if defined(BASE)
layout(std430, set = 0, binding = 5) buffer DX { vec4 dx[]; };
#else
layout(std430, set = 0, binding = 5) writeonly buffer DX { vec4 dx[]; };
#endif
layout(push_constant) uniform Push { uint M, D; };

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }

void main() {
    uint row = flatIndex(), at = row * D;
    if (row >= M) return;
    float mu = mean[row], s = rstd[row];
    vec4 u = vec4(0.0), ux = vec4(0.0);
    for (uint i = 0; i < D; i += 4u) {
        vec4 v = LOAD4(gamma, i, 4u) * LOAD4(dy, at + i, 4u);
        u += v;
        ux = fma(v, (LOAD4(x, at + i, 4u) - mu) * s, ux);
    }
    float su = total(u) / float(D), sux = total(ux) / float(D);
    for (uint i = 0; i < D; i += 4u) {
        vec4 v = s * (LOAD4(gamma, i, 4u) * LOAD4(dy, at + i, 4u) - su - (LOAD4(x, at + i, 4u) - mu) * s * sux);
#if defined(BASE)
        v += dx[(at + i) >> 2];
#endif
        STORE4(dx, at + i, 4u, v)
    }
}
