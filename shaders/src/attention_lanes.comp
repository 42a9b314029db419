// Attention per image and head: S = q kt scale; P = softmax(S); o = P v; lse = log sum exp S. For drivers that run shaders on the CPU.
//
// qkv, o, lse as include/heads.glsl says. One thread computes the outputs of OWN queries. LANES keys come at a time
// (include/headlanes.glsl), with running maxima and sums (online softmax), in increasing order. float32 throughout. With ROUND,
// for heads of 64 channels, o is int8 in blocks of them (include/rounded.glsl).
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES

#include "headlanes.glsl"

VEC4S(0, qkv);
#if defined(ROUND)
#include "rounded.glsl"
layout(std430, set = 0, binding = 1) writeonly buffer O { uint o[]; };
#else
layout(std430, set = 0, binding = 1) writeonly buffer O { vec4 o[]; };
#endif
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

void main() {
    uint image, head, first;
    bool stores = owned(image, head, first);
    vec4 q[OWN][QUADS], sum[OWN][QUADS];
    float top[OWN], total[OWN];
    EACHOWN {
        LOADHEAD(q[j], qkv, qkvAt(0u, image, head, min(first + j, T - 1u)))
        EACHQUAD sum[j][i] = vec4(0.0);
        top[j] = -1e30; // finite, so that no infinities are subtracted
        total[j] = 0.0;
    }
    uint u = 0;
    do { // asks at its end: see linear_lanes.comp
        vec4 k[QUADS];
        float s[OWN][LANES];
        LOADHEAD(k, qkv, qkvAt(1u, image, head, min(u + LANE, T - 1u)))
        DOTLANES(s, q, k)
        EACHOWN {
            float high = top[j];
            EACHLANE {
                s[j][l] = u + l < T ? s[j][l] * scale : -1e30;
                high = max(high, s[j][l]);
            }
            float shrink = exp(top[j] - high);
            total[j] *= shrink;
            EACHQUAD sum[j][i] *= shrink;
            EACHLANE {
                s[j][l] = u + l < T ? exp(s[j][l] - high) : 0.0;
                total[j] += s[j][l];
            }
            top[j] = high;
        }
        LOADHEAD(k, qkv, qkvAt(2u, image, head, min(u + LANE, T - 1u)))
        ADDLANES(sum, s, k)
        u += LANES;
    } while (u < T);
    if (stores) EACHOWN if (first + j < T) {
#if defined(ROUND)
        EACHQUAD sum[j][i] *= 1.0 / total[j];
        STOREBLOCK(o, B * T, H * QUADS / 4u, head, image * T + first + j, sum[j])
#else
        STOREHEAD(o, headAt(image, head, first + j), sum[j], 1.0 / total[j])
#endif
        lse[(image * H + head) * T + first + j] = top[j] + log(total[j]);
    }
}
