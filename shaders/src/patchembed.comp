// Tokens of normalised images: x[b, t] = prefix[t] for t < P, and W patch + bias + pos behind, the grid row by row.
//
// image [B, 3, height, width]; w [D, 3 p p], a patch flattened as channel, row, column; bias [D]; prefix [P, D];
// pos [gh gw, D]; x [B (P + gh gw), D]. One thread computes ROWS tokens x 4 channels; sums are float32 in increasing
// order of the patch's elements. Reference: sdk/internal/ref/patchembed.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;

layout(std430, set = 0, binding = 0) readonly buffer Image { float image[]; };
layout(std430, set = 0, binding = 1) readonly buffer W { float w[]; };
layout(std430, set = 0, binding = 2) readonly buffer Bias { float bias[]; };
layout(std430, set = 0, binding = 3) readonly buffer Prefix { float prefix[]; };
layout(std430, set = 0, binding = 4) readonly buffer Pos { float pos[]; };
layout(std430, set = 0, binding = 5) writeonly buffer X { float x[]; };
layout(push_constant) uniform Push { uint B, height, width, p, P, D; };

#include "load.glsl"

void main() {
    uint gw = width / p, grid = height / p * gw, T = P + grid, M = B * T;
    uint quads = (D + 3u) / 4u, id = flatIndex(), n0 = id % quads * 4u, m0 = id / quads * ROWS;
    if (m0 >= M) return;
    uint corner[ROWS]; // of each token's patch in image; prefix tokens compute the first patch and drop it
    float acc[ROWS][4];
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        uint m = min(m0 + i, M - 1u), t = m % T, cell = t < P ? 0u : t - P;
        corner[i] = (m / T * 3u * height + cell / gw * p) * width + cell % gw * p;
        [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = 0.0;
    }
    uint e = 0; // element of the patch
    for (uint channel = 0; channel < 3; channel++) for (uint row = 0; row < p; row++) for (uint col = 0; col < p; col++, e++) {
        uint at = (channel * height + row) * width + col;
        float b[4];
        [[unroll]] for (uint c = 0; c < 4; c++) b[c] = w[min(n0 + c, D - 1u) * 3u * p * p + e];
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            float a = image[corner[i] + at];
            [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = fma(a, b[c], acc[i][c]);
        }
    }
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) {
        uint m = m0 + i, n = n0 + c, t = m % T;
        if (m >= M || n >= D) continue;
        x[m * D + n] = t < P ? prefix[t * D + n] : acc[i][c] + bias[n] + pos[(t - P) * D + n];
    }
}
