// Input gradient of a frozen linear layer over int8 gradients, as linear_bwd_x_a8.comp, for drivers that run shaders on the CPU: as
// linear_lanes.comp, with rows of q fetched by LANES threads in turns and two rows in one product (include/rowpairs.glsl). One
// thread computes ROWS x 4 outputs, of a quarter of what a word of W holds, over 16 rows of W at a time.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES
layout(constant_id = 1) const uint ROWS = 8; // a multiple of LANES
layout(constant_id = 7) const uint BLOCK = 0; // words of 16 that share a scale; 0 for all of a row
const uint STRIP = 1;
const bool WIDE = true;

#include "load.glsl"
#include "weights.glsl"
#include "int8.glsl"
#include "rounded.glsl"
#include "lanes.glsl"

#if defined(GELU)
VEC4S(2, dgelu);
layout(std430, set = 0, binding = 3) writeonly buffer DX { vec4 dx[]; };
#else
layout(std430, set = 0, binding = 2) writeonly buffer DX { vec4 dx[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K; };

#define EACHOWN [[unroll]] for (uint j = 0; j < ROWS / LANES; j++)
#define EACHROW [[unroll]] for (uint i = 0; i < ROWS; i++)
#define EACHCOLUMN [[unroll]] for (uint c = 0; c < 4; c++)

// The scale of a block of q, of this thread's row j.
float rowScale(uint words, uint block, uint m0, uint j) {
    uint at = roundedScale(M, words, block, min(m0 + j * LANES + LANE, M - 1u));
    return uintBitsToFloat(XWORD(at / 4u)[at % 4u]);
}

// That of row i.
#define ROWSCALE(own, i) FROMLANE(own[(i) / LANES], (i) % LANES)

#define WEIGHTS(b) { \
    uint slot = (at / 4u * words + quad / 4u) * 64u + at % 4u * 4u; \
    EACHNUMBER { \
        uint four = WORD(slot + 16u * (s % 4u) + s / 4u)[quad % 4u]; \
        EACHCOLUMN b[c][s] = int8Of(four, c); \
    } }
#include "rowpairs.glsl"

void main() {
    uint groups = (K + 15u) / 16u, tiles = (groups * 4u + LANES - 1u) / LANES * LANES, id = flatIndex(), quad = id % tiles, m0 = id / tiles * ROWS;
    vec4 sum[ROWS][1];
    sums(0u, groups, (N + 15u) / 16u, quad, m0, sum);
    EACHROW {
        uint m = m0 + i, at = m * K + 4u * quad;
        if (m < M && 4u * quad < K) {
            vec4 v = sum[i][0];
#if defined(GELU)
            v *= LOAD4(dgelu, at, 4u);
#endif
            STORE4(dx, at, 4u, v)
        }
    }
}
