// Attention per image and head: S = q kt scale; P = softmax(S); o = P v; lse = log sum exp S.
//
// qkv [B T, 3 H d], perhaps float16 (include/half.glsl), o [B T, H d], lse [B, H, T]; include/flash.glsl says how threads share the work. One thread computes
// one query's output over all keys, with running maximum and sum (online softmax), so no T x T matrix exists. float32
// throughout; keys in increasing order. With ROUND, for heads of 64 channels, o is int8 in blocks of them
// (include/rounded.glsl). Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "flash.glsl"
#include "half.glsl"

layout(std430, set = 0, binding = 0) readonly buffer QKV { vec4 qkv[]; };
layout(std430, set = 0, binding = 0) readonly buffer Halves { uvec2 halves[]; };
#define QKV4(at) (HALF ? floatsOf(halves[at]) : qkv[at])
#if defined(ROUND)
#include "rounded.glsl"
layout(std430, set = 0, binding = 1) writeonly buffer O { uint o[]; };
#else
layout(std430, set = 0, binding = 1) writeonly buffer O { vec4 o[]; };
#endif
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

void main() {
    uint image, head, t;
    if (!owned(image, head, t)) return;
    uint mine = qkvAt(0u, image, head, min(t, T - 1u));
    vec4 sum[QUADS];
    EACHQUAD {
        KEPT(i) = QKV4(mine + i);
        sum[i] = vec4(0.0);
    }
    float top = -1e30, total = 0.0; // finite, so that no infinities are subtracted
    for (uint u = 0; u < T; u += STEP) {
        float s[STEP], peak = top;
        uint k[STEP];
        EACHSTEP {
            s[j] = 0.0;
            k[j] = qkvAt(1u, image, head, min(u + j, T - 1u));
        }
        EACHQUAD {
            vec4 q = KEPT(i);
            EACHSTEP s[j] = dot4(q, QKV4(k[j] + i), s[j]);
        }
        EACHSTEP {
            s[j] = u + j < T ? s[j] * scale : -1e30;
            peak = max(peak, s[j]);
        }
        float shrink = exp(top - peak);
        top = peak;
        total *= shrink;
        EACHQUAD sum[i] *= shrink;
        EACHSTEP {
            s[j] = u + j < T ? exp(s[j] - top) : 0.0;
            total += s[j];
        }
        EACHSTEP EACHQUAD sum[i] = fma(vec4(s[j]), QKV4(k[j] + H * QUADS + i), sum[i]);
    }
    if (t >= T) return;
#if defined(ROUND)
    EACHQUAD sum[i] *= 1.0 / total;
    STOREBLOCK(o, B * T, H * QUADS / 4u, head, image * T + t, sum)
#else
    uint to = headAt(image, head, t);
    EACHQUAD o[to + i] = sum[i] * (1.0 / total);
#endif
    lse[(image * H + head) * T + t] = top + log(total);
}
