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
    vec4 a[QUADS], b[QUADS];
    float s;
    LOADHEAD(a, o, headAt(image, head, t))
    LOADHEAD(b, dout, headAt(image, head, t))
    DOTHEAD(s, a, b)
    delta[id] = s;
}
