// Softmax of attention's scores in memory (include/pairs.glsl): p = exp(s - lse), lse = log sum exp s. Within windows, bias and
// mask are added to the scores first. Zeros follow a row, and are all that queries of padding have.
//
// p takes the place of s. One group computes one row; float32, by a fixed tree. Reference: sdk/internal/ref/attention.go, window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 16;

#include "pairs.glsl"
#include "rowsum.glsl"

layout(std430, set = 0, binding = 0) buffer P { float p[]; };
layout(std430, set = 0, binding = 1) writeonly buffer LSE { float lse[]; };
#if defined(WINDOWS)
layout(std430, set = 0, binding = 2) readonly buffer Table { float table[]; };
#endif

void main() {
    uint L = sizeOf(), row = rowIndex(), t = row % L, lane = gl_LocalInvocationID.x, from = row * stride;
    if (row >= count * L) return; // the whole group
    Pair pair = pairAt(row / L);
#if defined(WINDOWS)
    Place query = placeOf(pair, t);
    uint head = pair.head;
    for (uint u = lane; u < L; u += LANES) {
        Place key = placeOf(pair, u);
        p[from + u] += BIAS(query, key);
    }
#endif
    float top = -1e30; // finite, so that no infinities are subtracted
    for (uint u = lane; u < L; u += LANES) top = max(top, p[from + u]);
    top = rowMax(top);
    float total = 0.0;
    for (uint u = lane; u < L; u += LANES) total += exp(p[from + u] - top);
    total = rowSum(total);
    bool some = kept(pair, t);
    for (uint u = lane; u < stride; u += LANES) p[from + u] = some && u < L ? exp(p[from + u] - top) / total : 0.0;
    if (some && lane == 0u) lse[numberAt(pair, t)] = top + log(total);
}
