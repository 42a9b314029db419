// Float layers of include/affine.glsl for drivers that run shaders on the CPU, as linear_lanes.comp: threads of a group have the same
// ROWS rows, fetch them in turns (include/lanes.glsl), and compute 4 columns each, over 16 columns of k at a time. Sums are float32 in
// increasing k. N and K are multiples of 4. Reference: sdk/internal/ref/matmul.go, adaptdown.go, patchembed.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES
layout(constant_id = 1) const uint ROWS = 8; // a multiple of LANES
const uint QUADS = 1;
const bool WIDE = true;

#include "tiles.glsl"
#include "affine.glsl"
#include "lanes.glsl"

#define EACHOWN [[unroll]] for (uint j = 0; j < ROWS / LANES; j++)
#define EACHSTEP [[unroll]] for (uint s = 0; s < 4; s++)

// Rows whose sums are added to at a time, eight sums.
const uint PAIR = 2;

void main() {
    uint tiles = (N + 4u * LANES - 1u) / (4u * LANES) * LANES, id = flatIndex(), n = id % tiles * 4u, m0 = id / tiles * ROWS;
    uint row[ROWS / LANES], column[4], k = 0;
    vec4 acc[ROWS];
    EACHROW acc[i] = vec4(0.0);
    OWNROWS(row, ROWS, m0, M, K / 4u)
    FROM(column, 4, n, N, K / 4u)
    do {
        vec4 a[ROWS / LANES][4], b[4][4];
        EACHSTEP { // behind the last column the last one again, times zeros
            uint at = min(k / 4u + s, K / 4u - 1u);
            EACHOWN {
                a[j][s] = texelFetch(x, int(row[j] + at));
                if (k + 4u * s >= K) a[j][s] = vec4(0.0);
            }
            EACHCOLUMN b[c][s] = texelFetch(w, int(column[c] + at));
        }
        [[unroll]] for (uint r = 0; r < ROWS / PAIR; r++) EACHSTEP [[unroll]] for (uint e = 0; e < 4; e++) [[unroll]] for (uint z = 0; z < PAIR; z++) {
            uint i = PAIR * r + z;
            float v = FROMLANE(a[i / LANES][s][e], i % LANES);
            EACHCOLUMN acc[i][c] = fma(v, b[c][s][e], acc[i][c]);
        }
        k += 16u;
    } while (k < K);
    if (n < N) {
        vec4 shift = LOAD4(bias, n, 4u);
        EACHROW if (m0 + i < M) finish(m0 + i, n, acc[i] + shift);
    }
}
