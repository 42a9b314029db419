// Float layers of include/affine.glsl. One thread computes ROWS x 4 QUADS outputs; sums are float32 in increasing k.
// Reference: sdk/internal/ref/matmul.go, adaptdown.go, patchembed.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "tiles.glsl"
#include "affine.glsl"

void main() {
    uint quads = (N + 3u) / 4u, tiles = (quads + QUADS - 1u) / QUADS;
    if (groupIndex() >= tiles * ((M + ROWS - 1u) / ROWS)) return;
    uint id = flatIndex(), n0 = id % tiles * QUADS * 4u, m0 = id / tiles * ROWS;
    vec4 acc[ROWS][QUADS];
    EACHROW EACHQUAD acc[i][q] = vec4(0.0);
    uint row[ROWS], column[4 * QUADS];
    FROM(row, ROWS, m0, M, K / UNIT)
    FROM(column, 4 * QUADS, n0, N, K / UNIT)
    uint k = 0;
    do {
        vec4 a[ROWS];
        EACHROW a[i] = LOADAT(x, row[i] + k / UNIT, K - k);
        EACHQUAD [[unroll]] for (uint c = 0; c < 4; c++) {
            vec4 b = LOADAT(w, column[4 * q + c] + k / UNIT, K - k);
            EACHROW acc[i][q][c] = dot4(a[i], b, acc[i][q][c]);
        }
        k += 4u;
    } while (k < K);
    EACHQUAD {
        uint n = n0 + 4u * q;
        if (n < N) {
            vec4 shift = LOAD4(bias, n, N - n);
            EACHROW if (m0 + i < M) finish(m0 + i, n, acc[i][q] + shift);
        }
    }
}
