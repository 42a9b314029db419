// Products of include/matmul.glsl for drivers that run shaders on the CPU, as affine_lanes.comp: threads of a group have the same ROWS
// rows, fetch them in turns (include/lanes.glsl), and compute 4 columns each, over 16 rows of b at a time. Sums are float32 in
// increasing n. N and K are multiples of 4. Reference: sdk/internal/ref/matmul.go, adaptdown.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES
layout(constant_id = 1) const uint ROWS = 8; // a multiple of LANES
const uint QUADS = 1;
const bool WIDE = true;

#include "tiles.glsl"
#include "matmul.glsl"
#include "lanes.glsl"

#define EACHOWN [[unroll]] for (uint j = 0; j < ROWS / LANES; j++)
#define EACHSTEP [[unroll]] for (uint s = 0; s < 4; s++)

// Rows whose sums are added to at a time, eight sums.
const uint PAIR = 2;

void main() {
    uint tiles = (K + 4u * LANES - 1u) / (4u * LANES) * LANES, id = flatIndex(), quad = id % tiles, m0 = id / tiles * ROWS;
    uint row[ROWS / LANES], column = min(quad, K / 4u - 1u), n = 0;
    vec4 acc[ROWS];
    EACHROW acc[i] = vec4(0.0);
    OWNROWS(row, ROWS, m0, M, N / 4u)
    do {
        vec4 f[ROWS / LANES][4], g[16];
        EACHSTEP { // behind the last row of b the last one again, times zeros
            EACHOWN {
                f[j][s] = texelFetch(a, int(row[j] + min(n / 4u + s, N / 4u - 1u)));
                if (n + 4u * s >= N) f[j][s] = vec4(0.0);
            }
            [[unroll]] for (uint e = 0; e < 4; e++) g[4 * s + e] = texelFetch(b, int(min(n + 4 * s + e, N - 1u) * (K / 4u) + column));
        }
        [[unroll]] for (uint r = 0; r < ROWS / PAIR; r++) EACHSTEP [[unroll]] for (uint e = 0; e < 4; e++) [[unroll]] for (uint z = 0; z < PAIR; z++) {
            uint i = PAIR * r + z;
            acc[i] = fma(vec4(FROMLANE(f[i / LANES][s][e], i % LANES)), g[4 * s + e], acc[i]);
        }
        n += 16u;
    } while (n < N);
    if (4u * quad < K) EACHROW if (m0 + i < M) finish(m0 + i, 4u * quad, acc[i]);
}
