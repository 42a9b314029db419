// Patches of normalised images as rows of a matrix, for the product that makes them tokens (affine.comp with TOKENS):
// patches[b, P + i] = patch i of image b, the grid row by row; zeros for the P prefix tokens.
//
// image [B, 3, height, width]; patches [B (P + gh gw), 3 p p], a patch flattened as channel, row, column. One thread
// copies one row of one channel. Reference: sdk/internal/ref/patchembed.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer Image { float image[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Patches { float patches[]; };
layout(push_constant) uniform Push { uint B, height, width, p, P; };

#include "load.glsl"

void main() {
    uint gw = width / p, T = P + height / p * gw, id = flatIndex();
    uint row = id % p, channel = id / p % 3u, m = id / (3u * p), t = m % T, b = m / T;
    if (b >= B) return;
    uint cell = t - min(t, P), to = id * p;
    uint from = ((b * 3u + channel) * height + cell / gw * p + row) * width + cell % gw * p;
    for (uint col = 0; col < p; col++) patches[to + col] = t < P ? 0.0 : image[from + col];
}
