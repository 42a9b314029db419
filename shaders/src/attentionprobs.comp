// Attention probabilities for inspection: p = exp(q kt scale - lse), [B, H, T, T]. One thread computes one element.
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#define FORWARD
#include "heads.glsl"

QKV(0);
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
layout(std430, set = 0, binding = 2) writeonly buffer P { float p[]; };

void main() {
    uint id = flatIndex(), u = id % T, row = id / T, t = row % T, head = row / T % H, image = row / (T * H);
    if (image >= B) return;
    uint q = qkvAt(0u, image, head, t), k = qkvAt(1u, image, head, u);
    float s = 0.0;
    for (uint c = 0; c < d; c += 4u) s = dot4(QKV4(q + c, d - c), QKV4(k + c, d - c), s);
    p[id] = exp(s * scale - lse[row]);
}
