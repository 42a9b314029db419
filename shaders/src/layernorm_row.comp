// LayerNorm as layernorm.comp, for drivers that run on the CPU: one thread per row, since a barrier costs them more than
// the row. D is a multiple of 4. Sums are float32 over every fourth channel, then over the four, in two passes.
// Reference: sdk/internal/ref/layernorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 8;

#include "load.glsl"

VEC4S(0, x);
VEC4S(1, gamma);
VEC4S(2, beta);
layout(std430, set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Rstd { float rstd[]; };
layout(push_constant) uniform Push { uint M, D; float eps; };

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }

void main() {
    uint row = flatIndex(), at = row * D;
    if (row >= M) return;
    vec4 sum = vec4(0.0);
    for (uint i = 0; i < D; i += 4u) sum += LOAD4(x, at + i, 4u);
    float mu = total(sum) / float(D);
    sum = vec4(0.0);
    for (uint i = 0; i < D; i += 4u) {
        vec4 d = LOAD4(x, at + i, 4u) - mu;
        sum = fma(d, d, sum);
    }
    float r = 1.0 / sqrt(total(sum) / float(D) + eps);
    for (uint i = 0; i < D; i += 4u) {
        vec4 v = fma((LOAD4(x, at + i, 4u) - mu) * r, LOAD4(gamma, i, 4u), LOAD4(beta, i, 4u));
        STORE4(y, at + i, 4u, v)
    }
    mean[row] = mu;
    rstd[row] = r;
}
