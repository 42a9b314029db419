// Attention per image and head: S = q kt scale; P = softmax(S); o = P v; lse = log sum exp S. For drivers that run shaders on the CPU.
//
// qkv, o, lse as include/heads.glsl says. One thread computes the outputs of OWN queries; a group has one head. Keys and values
// are fetched by LANES threads, each those of another token, and handed round by shuffles (include/lanes.glsl), so that
// LANES keys come at a time, with running maxima and sums (online softmax), in increasing order. float32 throughout. With
// ROUND, for heads of 64 channels, o is int8 in blocks of them (include/rounded.glsl).
// Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 8;

#include "heads.glsl"
#include "lanes.glsl"

VEC4S(0, qkv);
#if defined(ROUND)
#include "rounded.glsl"
layout(std430, set = 0, binding = 1) writeonly buffer O { uint o[]; };
#else
layout(std430, set = 0, binding = 1) writeonly buffer O { float o[]; };
#endif
layout(std430, set = 0, binding = 2) writeonly buffer LSE { float lse[]; };

#define EACHQUAD [[unroll]] for (uint i = 0; i < QUADS; i++)
#define EACHLANE [[unroll]] for (uint l = 0; l < LANES; l++)
#define EACHPAIR [[unroll]] for (uint z = 0; z < 2; z++) // two at a time: sums that do not wait for one another

void main() {
    uint most = WORKGROUP * OWN, blocks = (T + most - 1u) / most, group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    uint first = group % blocks * most + gl_LocalInvocationID.x * OWN, head = group / blocks % H, image = group / (blocks * H), from = min(image, B - 1u);
    vec4 q[OWN][QUADS], sum[OWN][QUADS];
    float top[OWN], total[OWN];
    EACHOWN {
        LOADHEAD(q[j], qkv, qkvAt(0u, from, head, min(first + j, T - 1u)))
        EACHQUAD sum[j][i] = vec4(0.0);
        top[j] = -1e30; // finite, so that no infinities are subtracted
        total[j] = 0.0;
    }
    uint u = 0;
    do { // asks at its end: see linear_lanes.comp
        vec4 k[QUADS];
        float s[OWN][LANES];
        LOADHEAD(k, qkv, qkvAt(1u, from, head, min(u + LANE, T - 1u)))
        EACHOWN EACHLANE s[j][l] = 0.0;
        [[unroll]] for (uint h = 0; h < LANES / 2u; h++) EACHQUAD [[unroll]] for (uint c = 0; c < 4; c++) EACHPAIR {
            uint l = 2 * h + z;
            float x = FROMLANE(k[i][c], l);
            EACHOWN s[j][l] = fma(q[j][i][c], x, s[j][l]);
        }
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
        LOADHEAD(k, qkv, qkvAt(2u, from, head, min(u + LANE, T - 1u)))
        EACHQUAD [[unroll]] for (uint h = 0; h < 2; h++) EACHLANE EACHPAIR {
            uint c = 2 * h + z;
            float x = FROMLANE(k[i][c], l);
            EACHOWN sum[j][i][c] = fma(s[j][l], x, sum[j][i][c]);
        }
        u += LANES;
    } while (u < T);
    if (image < B) EACHOWN if (first + j < T) {
#if defined(ROUND)
        EACHQUAD sum[j][i] *= 1.0 / total[j];
        STOREBLOCK(o, B * T, H * QUADS / 4u, head, image * T + first + j, sum[j])
#else
        STOREHEAD(o, headAt(image, head, first + j), sum[j], 1.0 / total[j])
#endif
        lse[(image * H + head) * T + first + j] = top[j] + log(total[j]);
    }
}
