// Float product with the second operand contiguous in the output axis:
//
//   matmul      c = base + a b                                BASE: base is added, c may be base itself
//   MASK        c = scale (a b) where h > 0, else 0           the gradient at AdaptMLP's hidden sums
//
// a [M, N]; b [N, K]; base, h, c [M, K]. One thread computes ROWS x 4 QUADS outputs, QUADS at most K / 4; sums are float32 in increasing n.
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

VEC4S(0, a);
VEC4S(1, b);
#if defined(BASE)
layout(std430, set = 0, binding = 2) buffer C { vec4 c[]; };
#elif defined(MASK)
VEC4S(2, h);
layout(std430, set = 0, binding = 3) writeonly buffer C { vec4 c[]; };
#else
layout(std430, set = 0, binding = 2) writeonly buffer C { vec4 c[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K; float scale; };

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
    EACHROW EACHQUAD {
        uint m = m0 + i, k = (quad + q) * 4u, at = m * K + k;
        if (m < M && quad + q >= own) {
            vec4 v = acc[i][q];
#if defined(BASE)
            v += READ4(c, at, K - k);
#elif defined(MASK)
            v = mix(vec4(0.0), scale * v, greaterThan(LOAD4(h, at, K - k), vec4(0.0)));
#endif
            STORE4(c, at, K - k, v)
        }
    }
}
