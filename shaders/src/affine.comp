// Float layer with both operands contiguous in the summed axis:
//
//   affine      y = x wt + bias
//   RELU        y = ReLU(x wt + bias); DROPOUT: with masks by Philox2x32 (include/philox.glsl)
//   TOKENS      y = x wt + bias + pos for patches, y = prefix for the first P tokens of an image (see patchembed.comp)
//
// x [M, K]; w [N, K]; bias [N]; y [M, N]; key [1]; prefix [P, N]; pos [T - P, N], T tokens an image. One thread computes
// ROWS x 4 QUADS outputs; sums are float32 in increasing k. Reference: sdk/internal/ref/matmul.go, adaptdown.go, patchembed.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 9) const bool WIDE = false; // N and K are multiples of 4

#include "tiles.glsl"

VEC4S(0, x);
VEC4S(1, w);
VEC4S(2, bias);
#if defined(DROPOUT)
layout(std430, set = 0, binding = 3) readonly buffer Key { uint key[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint M, N, K, stream, dropBelow; float keepScale; };
#elif defined(TOKENS)
VEC4S(3, prefix);
VEC4S(4, pos);
layout(std430, set = 0, binding = 5) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint M, N, K, T, P; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint M, N, K; };
#endif

#include "philox.glsl"

// Stores the sums v of row m from column n on.
void finish(uint m, uint n, vec4 v) {
    uint at = m * N + n, left = N - n;
#if defined(RELU)
    v = max(v, vec4(0.0));
#endif
#if defined(DROPOUT)
    [[unroll]] for (uint c = 0; c < 4; c++) v[c] = philox(at + c, stream, key[0]) < dropBelow ? 0.0 : v[c] * keepScale;
#elif defined(TOKENS)
    uint t = m % T;
    if (t < P) v = LOAD4(prefix, t * N + n, left);
    else v += LOAD4(pos, (t - P) * N + n, left);
#endif
    STORE4(y, at, left, v)
}

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
