// Weight gradient in slices, as weightgrad.comp, for drivers that run shaders on the CPU: threads of a group have the same ROWS rows
// of dw and 4 columns each, over LANES rows of dy and x at a time, each of dy's fetched by another thread (include/lanes.glsl).
// Sums are float32 in increasing m. N and K are multiples of 4. Reference: sdk/internal/ref/matmul.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES
layout(constant_id = 1) const uint ROWS = 16; // a multiple of 4
const bool WIDE = true;

#include "load.glsl"
#include "lanes.glsl"

VEC4S(0, dy);
VEC4S(1, x);
layout(std430, set = 0, binding = 2) writeonly buffer Part { vec4 part[]; };
layout(push_constant) uniform Push { uint M, N, K, slices; };

#define EACHLANE [[unroll]] for (uint l = 0; l < LANES; l++)

// Rows of dw whose sums are added to at a time, eight sums.
const uint PAIR = 2;

void main() {
    uint tiles = (K + 4u * LANES - 1u) / (4u * LANES) * LANES, rows = (N + ROWS - 1u) / ROWS, id = flatIndex();
    uint quad = id % tiles, n0 = id / tiles % rows * ROWS, z = id / (tiles * rows), column = min(quad, K / 4u - 1u);
    uint height = (M + slices - 1u) / slices, m = z * height, end = min(m + height, M);
    vec4 acc[ROWS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) acc[i] = vec4(0.0);
    for (; m < end; m += LANES) {
        vec4 d[ROWS / 4], v[LANES];
        [[unroll]] for (uint q = 0; q < ROWS / 4; q++) {
            d[q] = texelFetch(dy, int(min(m + LANE, M - 1u) * (N / 4u) + min(n0 / 4u + q, N / 4u - 1u)));
            if (m + LANE >= end) d[q] = vec4(0.0);
        }
        EACHLANE v[l] = texelFetch(x, int(min(m + l, end - 1u) * (K / 4u) + column));
        [[unroll]] for (uint r = 0; r < ROWS / PAIR; r++) EACHLANE [[unroll]] for (uint e = 0; e < PAIR; e++) {
            uint i = PAIR * r + e;
            acc[i] = fma(vec4(FROMLANE(d[i / 4][i % 4], l)), v[l], acc[i]);
        }
    }
    if (z < slices && 4u * quad < K) [[unroll]] for (uint i = 0; i < ROWS; i++) if (n0 + i < N) STORE4(part, (z * N + n0 + i) * K + 4u * quad, 4u, acc[i])
}
