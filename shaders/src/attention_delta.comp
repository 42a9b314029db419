// First part of the attention's gradient: delta = rowsum(do * o), [B, H, T]. One thread per query and head.
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "heads.glsl"

VEC4S(0, o);
VEC4S(1, dout);
layout(std430, set = 0, binding = 2) writeonly buffer Delta { float delta[]; };

void main() {
    uint id = flatIndex(), t = id % T, head = id / T % H, image = id / (T * H);
    if (image >= B) return;
    uint at = headAt(image, head, t);
    float s = 0.0;
    for (uint c = 0; c < d; c += 4u) s = dot4(LOAD4(o, at + c, d - c), LOAD4(dout, at + c, d - c), s);
    delta[id] = s;
}
