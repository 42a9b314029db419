// Attention per image and head: S = q kt scale; P = softmax(S); o = P v; lse = log sum exp S.
//
// qkv, o, lse as include/heads.glsl says. One thread computes the outputs of OWN queries: it walks over the keys once
// with running maxima and sums (online softmax), so no T x T matrix exists. float32 throughout; keys in increasing order.
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
    uint image, head, first;
    if (!owned(image, head, first)) return;
    vec4 q[OWN][QUADS], sum[OWN][QUADS];
    float top[OWN], total[OWN];
    EACHOWN {
        LOADHEAD(q[j], qkv, qkvAt(0u, image, head, min(first + j, T - 1u)))
        [[unroll]] for (uint i = 0; i < QUADS; i++) sum[j][i] = vec4(0.0);
        top[j] = -1e30; // finite, so that no infinities are subtracted
        total[j] = 0.0;
    }
    for (uint u = 0; u < T; u++) {
        vec4 k[QUADS];
        float p[OWN];
        LOADHEAD(k, qkv, qkvAt(1u, image, head, u))
        EACHOWN {
            float s;
            DOTHEAD(s, q[j], k)
            s *= scale;
            if (s > top[j]) {
                float shrink = exp(top[j] - s);
                total[j] *= shrink;
                [[unroll]] for (uint i = 0; i < QUADS; i++) sum[j][i] *= shrink;
                top[j] = s;
            }
            p[j] = exp(s - top[j]);
            total[j] += p[j];
        }
        LOADHEAD(k, qkv, qkvAt(2u, image, head, u))
        EACHOWN ADDHEAD(sum[j], p[j], k)
    }
    EACHOWN if (first + j < T) {
        STOREHEAD(o, headAt(image, head, first + j), sum[j], 1.0 / total[j])
        lse[(image * H + head) * T + first + j] = top[j] + log(total[j]);
    }
}
