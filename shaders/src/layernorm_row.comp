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
#if defined(ROUND)
layout(std430, set = 0, binding = 3) writeonly buffer Y { uint y[]; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };
#endif
layout(std430, set = 0, binding = 4) writeonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Rstd { float rstd[]; };
layout(push_constant) uniform Push { uint M, D; float eps; };

#include "rounded.glsl"

vec4 normal(uint i, uint at, float mu, float r) { return fma((LOAD4(x, at + i, 4u) - mu) * r, LOAD4(gamma, i, 4u), LOAD4(beta, i, 4u)); }
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
#if defined(ROUND)
    vec4 top = vec4(0.0);
    for (uint i = 0; i < D; i += 4u) top = max(top, abs(normal(i, at, mu, r)));
    vec2 range = rangeOf(largest(top));
    uint words = (D + 15u) / 16u, to = row * 4u * words;
    for (uint w = 0; w < 4u * words; w++) y[to + w] = 4u * w < D ? toInt8(normal(4u * w, at, mu, r), range.y) : 0u;
    y[roundedScale(M, words, 0u, row)] = floatBitsToUint(range.x);
#else
    for (uint i = 0; i < D; i += 4u) {
        vec4 v = normal(i, at, mu, r);
        STORE4(y, at + i, 4u, v)
    }
#endif
    mean[row] = mu;
    rstd[row] = r;
}
