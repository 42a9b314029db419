// Gradient of the BatchNorm in training, per feature: dx = rstd (dy - mean(dy) - y mean(dy y)), means over the batch.
//
// y, dy, dx [B, F]; rstd [F]. One thread per feature. Reference: sdk/internal/ref/batchnorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer Y { float y[]; };
layout(std430, set = 0, binding = 1) readonly buffer Rstd { float rstd[]; };
layout(std430, set = 0, binding = 2) readonly buffer DY { float dy[]; };
layout(std430, set = 0, binding = 3) writeonly buffer DX { float dx[]; };
layout(push_constant) uniform Push { uint B, F; };

#include "load.glsl"

void main() {
    uint f = flatIndex();
    if (f >= F) return;
    float sum = 0.0, dot = 0.0;
    for (uint b = 0; b < B; b++) {
        float g = dy[b * F + f];
        sum += g;
        dot = fma(g, y[b * F + f], dot);
    }
    sum /= float(B);
    dot /= float(B);
    for (uint b = 0; b < B; b++) dx[b * F + f] = rstd[f] * (dy[b * F + f] - sum - y[b * F + f] * dot);
}
