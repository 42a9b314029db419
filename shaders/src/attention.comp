// Attention per image and head: S = q kt scale; P = softmax(S); o = P v; lse = log sum exp S.
//
// qkv, o, lse as include/heads.glsl says. One thread computes one query's output: it walks over the keys once with a
// running maximum and sum (online softmax), so no T x T matrix exists. float32 throughout; keys in increasing order.
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "heads.glsl"

VEC4S(0, qkv);
layout(std430, set = 0, binding = 1) writeonly buffer O { float o[]; };
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

void main() {
    uint id = flatIndex(), t = id % T, head = id / T % H, image = id / (T * H);
    if (image >= B) return;
    vec4 q[QUADS], sum[QUADS];
    LOADHEAD(q, qkv, qkvAt(0u, image, head, t))
    [[unroll]] for (uint i = 0; i < QUADS; i++) sum[i] = vec4(0.0);
    float top = -1e30, total = 0.0; // finite, so that no infinities are subtracted
    for (uint u = 0; u < T; u++) {
        vec4 k[QUADS];
        float s;
        LOADHEAD(k, qkv, qkvAt(1u, image, head, u))
        DOTHEAD(s, q, k)
        s *= scale;
        if (s > top) {
            float shrink = exp(top - s);
            total *= shrink;
            [[unroll]] for (uint i = 0; i < QUADS; i++) sum[i] *= shrink;
            top = s;
        }
        float p = exp(s - top);
        total += p;
        LOADHEAD(k, qkv, qkvAt(2u, image, head, u))
        ADDHEAD(sum, p, k)
    }
    STOREHEAD(o, headAt(image, head, t), sum, 1.0 / total)
    lse[id] = top + log(total);
}
