// Input gradient of a frozen LayerNorm. With u = gamma dy and xh = (x - mean) rstd:
//
//   dx = rstd (u - mean(u) - xh mean(u xh))          BASE: added to dx in place
//
// x, dy, dx [M, D]; gamma [D]; mean, rstd [M]. One group of LANES threads per row, as in layernorm.comp.
// Reference: sdk/internal/ref/layernorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 32; // a power of two

layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) readonly buffer Gamma { float gamma[]; };
layout(std430, set = 0, binding = 2) readonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 3) readonly buffer Rstd { float rstd[]; };
layout(std430, set = 0, binding = 4) readonly buffer DY { float dy[]; };
#if defined(BASE)
layout(std430, set = 0, binding = 5) buffer DX { float dx[]; };
#else
layout(std430, set = 0, binding = 5) writeonly buffer DX { float dx[]; };
#endif
layout(push_constant) uniform Push { uint M, D; };

#include "rowsum.glsl"

void main() {
    uint lane = gl_LocalInvocationID.x, row = rowIndex();
    uint r = min(row, M - 1u), at = r * D;
    float mu = mean[r], s = rstd[r], su = 0.0, sux = 0.0;
    for (uint i = lane; i < D; i += LANES) {
        float u = gamma[i] * dy[at + i];
        su += u;
        sux = fma(u, (x[at + i] - mu) * s, sux);
    }
    su = rowSum(su) / float(D);
    sux = rowSum(sux) / float(D);
    if (row < M) {
        for (uint i = lane; i < D; i += LANES) {
            float v = s * (gamma[i] * dy[at + i] - su - (x[at + i] - mu) * s * sux);
#if defined(BASE)
            dx[at + i] += v;
#else
            dx[at + i] = v;
#endif
        }
    }
}
