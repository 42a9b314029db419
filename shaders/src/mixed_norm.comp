// LayerNorm of the branches of a mixed batch, where an image's task has one:
//
//   y = LayerNorm(x), or y = x where there is none on the input          OUT: y += LayerNorm(x), where there is one on the output
//
// x, y [M, D] with T rows an image; gamma, beta [D] stand in the arena behind the branch. mix [M / T, columns] int32 says
// where that is (sdk/internal/backend/mixed.go). Images without a branch, or with one elsewhere in the block, are left alone.
// One group of LANES threads per row, as in layernorm.comp: two passes, float32. Reference: sdk/internal/ref/mixed.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 32; // a power of two

layout(std430, set = 0, binding = 0) readonly buffer Mix { int mix[]; };
#include "arena.glsl"
layout(std430, set = 0, binding = 2) readonly buffer X { float x[]; };
#if defined(OUT)
layout(std430, set = 0, binding = 3) buffer Y { float y[]; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint M, T, D, columns, column, sequential; float eps; };

#include "rowsum.glsl"

// Column of mix, and its bits.
const uint OPTIONS = 5u, SEQUENTIAL = 1u, NORM_IN = 2u, NORM_OUT = 4u;

uint align(uint n) { return (n + 63u) & ~63u; }

void main() {
    uint lane = gl_LocalInvocationID.x, row = rowIndex(), r = min(row, M - 1u), at = r * D, image = r / T * columns;
    int offset = mix[image + column];
    uint R = uint(mix[image + column + 1u]), options = uint(mix[image + OPTIONS]);
    uint gamma = uint(offset) + align(R * D) + align(R) + align(D * R) + align(D), beta = gamma + align(D);
    float sum = 0.0;
    for (uint i = lane; i < D; i += LANES) sum += x[at + i];
    float mu = rowSum(sum) / float(D);
    sum = 0.0;
    for (uint i = lane; i < D; i += LANES) {
        float d = x[at + i] - mu;
        sum = fma(d, d, sum);
    }
    float s = 1.0 / sqrt(rowSum(sum) / float(D) + eps);
    if (row >= M || offset < 0 || (options & SEQUENTIAL) != sequential) return;
#if defined(OUT)
    if ((options & NORM_OUT) == 0u) return;
    for (uint i = lane; i < D; i += LANES) y[at + i] += fma((x[at + i] - mu) * s, parameter(gamma + i), parameter(beta + i));
#else
    for (uint i = lane; i < D; i += LANES)
        y[at + i] = (options & NORM_IN) == 0u ? x[at + i] : fma((x[at + i] - mu) * s, parameter(gamma + i), parameter(beta + i));
#endif
}
