// LayerNorm of each row: y = (x - mean) rstd * gamma + beta, rstd = 1/sqrt(var + eps), biased variance, two passes.
// ROUND: y is stored as int8 with one scale a row (include/rounded.glsl).
//
// x, y [M, D]; gamma, beta [D]; mean, rstd [M]. One group of LANES threads per row; each thread sums every LANES-th
// channel, then a fixed tree adds the partial sums, in float32. Two passes: a large common offset costs no digits.
// Reference: sdk/internal/ref/layernorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 32; // a power of two

layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gamma { float gamma[]; };
layout(std430, set = 0, binding = 2) readonly buffer Beta { float beta[]; };
#if defined(ROUND)
layout(std430, set = 0, binding = 3) writeonly buffer Y { uint y[]; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
#endif
layout(std430, set = 0, binding = 4) writeonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Rstd { float rstd[]; };
layout(push_constant) uniform Push { uint M, D; float eps; };

#include "rowsum.glsl"
#include "rounded.glsl"

float normal(uint i, uint at, float mu, float r) { return fma((x[at + i] - mu) * r, gamma[i], beta[i]); }

void main() {
    uint lane = gl_LocalInvocationID.x, row = rowIndex();
    uint at = min(row, M - 1u) * D;
    float sum = 0.0;
    for (uint i = lane; i < D; i += LANES) sum += x[at + i];
    float mu = rowSum(sum) / float(D);
    sum = 0.0;
    for (uint i = lane; i < D; i += LANES) {
        float d = x[at + i] - mu;
        sum = fma(d, d, sum);
    }
    float r = 1.0 / sqrt(rowSum(sum) / float(D) + eps);
#if defined(ROUND)
    uint words = (D + 15u) / 16u;
    float top = 0.0;
    for (uint i = lane; i < D; i += LANES) top = max(top, abs(normal(i, at, mu, r)));
    vec2 range = rangeOf(rowMax(top));
    if (row < M) for (uint w = lane; w < 4u * words; w += LANES) {
        vec4 v;
        for (uint e = 0; e < 4; e++) v[e] = 4u * w + e < D ? normal(4u * w + e, at, mu, r) : 0.0;
        y[row * 4u * words + w] = toInt8(v, range.y);
    }
#endif
    if (row < M) {
#if defined(ROUND)
        if (lane == 0u) y[roundedScale(M, words, 0u, row)] = floatBitsToUint(range.x);
#else
        for (uint i = lane; i < D; i += LANES) y[at + i] = normal(i, at, mu, r);
#endif
        if (lane == 0u) {
            mean[row] = mu;
            rstd[row] = r;
        }
    }
}
