// Products of include/matmul.glsl. One thread computes ROWS x 4 QUADS outputs, QUADS at most K / 4; sums are float32 in increasing n.
// Reference: sdk/internal/ref/matmul.go, adaptdown.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "tiles.glsl"
#include "matmul.glsl"

void main() {
    uint quads = (K + 3u) / 4u, tiles = (quads + QUADS - 1u) / QUADS;
    if (groupIndex() >= tiles * ((M + ROWS - 1u) / ROWS)) return;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    vec4 acc[ROWS][QUADS];
    EACHROW EACHQUAD acc[i][q] = vec4(0.0);
    uint own = quad, from[ROWS], lda = N / UNIT, ldb = K / UNIT;
    quad = min(own, quads - QUADS); // the last tile overlaps the one before it
    FROM(from, ROWS, m0, M, lda)
    uint n = 0, row = quad * STRIDE;
    do {
        vec4 f[ROWS];
        EACHROW f[i] = LOADAT(a, from[i] + n / UNIT, N - n); // zeros for rows of b beyond the last
        [[unroll]] for (uint j = 0; j < 4; j++) {
            EACHQUAD {
                vec4 g = LOADAT(b, row + q * STRIDE, K - 4u * (quad + q));
                EACHROW acc[i][q] = fma(vec4(f[i][j]), g, acc[i][q]);
            }
            if (WIDE || n + j + 1u < N) row += ldb;
        }
        n += 4u;
    } while (n < N);
    EACHROW EACHQUAD if (m0 + i < M && quad + q >= own) finish(m0 + i, (quad + q) * 4u, acc[i][q]);
}
