// Gradient of the attention. With P = exp(q kt scale - lse) and dS = P * (do vt - delta):
//
//   DQ   dq = scale dS k        a thread has a query, and meets the keys
//   DK   dk = scale dSt q       a thread has a key, and meets the queries
//   DV   dv = Pt do             a thread has a key, and meets the queries
//
// P is recomputed in each, so that no T x T matrix exists and nobody adds to what another wrote: no atomics. Layouts as in
// attention_lanes_bwd_x.comp; include/flash.glsl says how threads share the work. float32 throughout, sums in increasing order.
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "flash.glsl"

layout(std430, set = 0, binding = 0) readonly buffer QKV { vec4 qkv[]; };
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
layout(std430, set = 0, binding = 2) readonly buffer DOut { vec4 dout[]; };
#if defined(DV)
layout(std430, set = 0, binding = 3) writeonly buffer DQKV { vec4 dqkv[]; };
#else
layout(std430, set = 0, binding = 3) readonly buffer Delta { float delta[]; };
layout(std430, set = 0, binding = 4) writeonly buffer DQKV { vec4 dqkv[]; };
#endif

#if defined(DQ)
const uint OWN = 0u, OTHER = 1u, RESULT = 0u;
#elif defined(DK)
const uint OWN = 1u, OTHER = 0u, RESULT = 1u;
#else
const uint OWN = 1u, OTHER = 0u, RESULT = 2u;
#endif

void main() {
    uint image, head, t;
    if (!owned(image, head, t)) return;
    uint row = (image * H + head) * T, token = min(t, T - 1u), mine = qkvAt(OWN, image, head, token);
    vec4 sum[QUADS];
    EACHQUAD {
        KEPT(i) = qkv[mine + i];
        sum[i] = vec4(0.0);
    }
#if defined(DQ)
    float l = lse[row + token], dl = delta[row + token];
    vec4 second[QUADS];
    EACHQUAD second[i] = dout[headAt(image, head, token) + i];
#elif defined(DK)
    vec4 second[QUADS];
    EACHQUAD second[i] = qkv[qkvAt(2u, image, head, token) + i];
#endif
    // A step adds what the step before it weighed, and so loads those vectors anew: kept from one product to the other, they
    // would take 256 registers.
    float weight[STEP];
    EACHSTEP weight[j] = 0.0;
    for (uint u = 0, before = 0; u < T + STEP; before = u, u += STEP) {
        EACHSTEP {
            uint at = min(before + j, T - 1u);
#if defined(DV)
            EACHQUAD sum[i] = fma(vec4(weight[j]), dout[headAt(image, head, at) + i], sum[i]);
#else
            EACHQUAD sum[i] = fma(vec4(weight[j]), qkv[qkvAt(OTHER, image, head, at) + i], sum[i]);
#endif
        }
        float s[STEP], g[STEP];
        EACHSTEP s[j] = g[j] = 0.0;
        EACHQUAD {
            vec4 a = KEPT(i);
            EACHSTEP s[j] = dot4(a, qkv[qkvAt(OTHER, image, head, min(u + j, T - 1u)) + i], s[j]);
        }
#if defined(DQ)
        EACHSTEP EACHQUAD g[j] = dot4(second[i], qkv[qkvAt(2u, image, head, min(u + j, T - 1u)) + i], g[j]);
#elif defined(DK)
        EACHSTEP EACHQUAD g[j] = dot4(second[i], dout[headAt(image, head, min(u + j, T - 1u)) + i], g[j]);
#endif
        EACHSTEP {
            uint at = row + min(u + j, T - 1u);
#if defined(DQ)
            float w = exp(s[j] * scale - l) * (g[j] - dl);
#elif defined(DK)
            float w = exp(s[j] * scale - lse[at]) * (g[j] - delta[at]);
#else
            float w = exp(s[j] * scale - lse[at]);
#endif
            weight[j] = u + j < T ? w : 0.0;
        }
    }
    if (t >= T) return;
    uint to = qkvAt(RESULT, image, head, t);
#if defined(DV)
    EACHQUAD dqkv[to + i] = sum[i];
#else
    EACHQUAD dqkv[to + i] = scale * sum[i];
#endif
}
