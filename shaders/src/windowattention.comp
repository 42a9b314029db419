// Attention per image, window and head: S = q kt scale + bias + mask; P = softmax(S); o = P v; lse = log sum exp S.
//
// Operands as include/windows.glsl says. One thread computes the outputs of OWN queries: it walks over the keys of its window
// once with running maxima and sums (online softmax). float32 throughout; keys in increasing order of places.
// Reference: sdk/internal/ref/window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#define FORWARD
#include "windows.glsl"

QKV(0);
VEC4S(1, pad);
layout(std430, set = 0, binding = 2) readonly buffer Table { float table[]; };
layout(std430, set = 0, binding = 3) writeonly buffer O { float o[]; };
layout(std430, set = 0, binding = 4) writeonly buffer LSE { float lse[]; };

void main() {
    uint image, window, head, first;
    if (!owned(image, window, head, first)) return;
    Place at[OWN];
    vec4 q[OWN][QUADS], sum[OWN][QUADS];
    float top[OWN], total[OWN];
    EACHOWN {
        at[j] = ownedPlace(window, first + j);
        LOADPLACE(q[j], 0u, at[j])
        ZEROHEAD(sum[j])
        top[j] = -1e30; // finite, so that no infinities are subtracted
        total[j] = 0.0;
    }
    EACHPLACE(y, x) {
        Place key = placeAt(window, y, x);
        vec4 k[QUADS];
        float p[OWN];
        LOADPLACE(k, 1u, key)
        EACHOWN {
            float s;
            DOTHEAD(s, q[j], k)
            s = fma(s, scale, BIAS(at[j], key));
            if (s > top[j]) {
                float shrink = exp(top[j] - s);
                total[j] *= shrink;
                [[unroll]] for (uint i = 0; i < QUADS; i++) sum[j][i] *= shrink;
                top[j] = s;
            }
            p[j] = exp(s - top[j]);
            total[j] += p[j];
        }
        LOADPLACE(k, 2u, key)
        EACHOWN ADDHEAD(sum[j], p[j], k)
    }
    EACHOWN if (first + j < placesOf() && at[j].token != NONE) {
        STOREHEAD(o, headAt(image, head, at[j].token), sum[j], 1.0 / total[j])
        lse[(image * H + head) * tokens() + at[j].token] = top[j] + log(total[j]);
    }
}
