// Binary cross entropy from logits, per image, with its gradient:
//
//   loss = scale sum over c of (max(z, 0) - z y + log(1 + exp(-|z|)));  dz = scale (sigmoid z - y)
//
// z, y, dz [B, C]; loss [B]. One thread per image. Reference: sdk/internal/ref/loss.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer Z { float z[]; };
layout(std430, set = 0, binding = 1) readonly buffer Y { float y[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Loss { float loss[]; };
layout(std430, set = 0, binding = 3) writeonly buffer DZ { float dz[]; };
layout(push_constant) uniform Push { uint B, C; float scale; };

#include "load.glsl"

void main() {
    uint b = flatIndex();
    if (b >= B) return;
    float sum = 0.0;
    for (uint i = b * C; i < (b + 1u) * C; i++) {
        float e = exp(-abs(z[i]));
        sum += max(z[i], 0.0) - z[i] * y[i] + log(1.0 + e);
        float sigmoid = (z[i] >= 0.0 ? 1.0 : e) / (1.0 + e);
        dz[i] = scale * (sigmoid - y[i]);
    }
    loss[b] = scale * sum;
}
