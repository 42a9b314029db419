// Gradient of the attention. With P = exp(q kt scale - lse) and dS = P * (do vt - delta):
//
//   DQ   dq = scale dS k        one thread for OWN queries, over the keys
//   DK   dk = scale dSt q       one thread for OWN keys, over the queries
//   DV   dv = Pt do             one thread for OWN keys, over the queries
//
// P is recomputed in each, so that no T x T matrix exists and nobody adds to what another wrote: no atomics. For drivers that run
// shaders on the CPU, as attention_lanes.comp. (DK and DV in one would form P once less, and were no faster.) Layouts:
// include/heads.glsl; delta as lse. float32 throughout, sums in increasing order of keys or queries.
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES

#include "headlanes.glsl"

VEC4S(0, qkv);
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
VEC4S(2, dout);
#if defined(DV)
layout(std430, set = 0, binding = 3) writeonly buffer DQKV { vec4 dqkv[]; };
#else
layout(std430, set = 0, binding = 3) readonly buffer Delta { float delta[]; };
layout(std430, set = 0, binding = 4) writeonly buffer DQKV { vec4 dqkv[]; };
#endif

// Parts of qkv: what a thread has and what it meets, by which the scores come, and where the result goes.
#if defined(DQ)
const uint MINE = 0u, OTHER = 1u, RESULT = 0u;
#elif defined(DK)
const uint MINE = 1u, OTHER = 0u, RESULT = 1u;
#else
const uint MINE = 1u, OTHER = 0u, RESULT = 2u;
#endif

void main() {
    uint image, head, first;
    bool stores = owned(image, head, first);
    uint row = (image * H + head) * T; // of this image and head in lse and delta
    vec4 mine[OWN][QUADS], sum[OWN][QUADS];
    EACHOWN {
        LOADHEAD(mine[j], qkv, qkvAt(MINE, image, head, min(first + j, T - 1u)))
        EACHQUAD sum[j][i] = vec4(0.0);
    }
#if defined(DQ)
    vec4 second[OWN][QUADS];
    float logs[OWN], dl[OWN];
    EACHOWN {
        uint t = min(first + j, T - 1u);
        LOADHEAD(second[j], dout, headAt(image, head, t))
        logs[j] = lse[row + t];
        dl[j] = delta[row + t];
    }
#elif defined(DK)
    vec4 second[OWN][QUADS];
    EACHOWN LOADHEAD(second[j], qkv, qkvAt(2u, image, head, min(first + j, T - 1u)))
#endif
    uint u = 0;
    do { // asks at its end: see linear_lanes.comp
        uint t = min(u + LANE, T - 1u);
        vec4 other[QUADS];
        float s[OWN][LANES], weight[OWN][LANES];
#if defined(DQ)
        LOADHEAD(other, qkv, qkvAt(2u, image, head, t))
        DOTLANES(weight, second, other)
#elif defined(DK)
        float dl = delta[row + t];
        LOADHEAD(other, dout, headAt(image, head, t))
        DOTLANES(weight, second, other)
#endif
        LOADHEAD(other, qkv, qkvAt(OTHER, image, head, t))
        DOTLANES(s, mine, other)
#if !defined(DQ)
        float logs = lse[row + t];
#endif
        EACHOWN EACHLANE {
#if defined(DQ)
            float w = exp(s[j][l] * scale - logs[j]) * (weight[j][l] - dl[j]);
#elif defined(DK)
            float w = exp(s[j][l] * scale - FROMLANE(logs, l)) * (weight[j][l] - FROMLANE(dl, l));
#else
            float w = exp(s[j][l] * scale - FROMLANE(logs, l));
#endif
            weight[j][l] = u + l < T ? w : 0.0;
        }
#if defined(DV)
        LOADHEAD(other, dout, headAt(image, head, t))
#endif
        ADDLANES(sum, weight, other)
        u += LANES;
    } while (u < T);
    if (stores) EACHOWN if (first + j < T) STOREHEAD(dqkv, qkvAt(RESULT, image, head, first + j), sum[j], RESULT == 2u ? 1.0 : scale)
}
