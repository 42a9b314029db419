// Column sums, cut into slices of the summed axis: part[z] = sum over rows m of slice z of dy[m], or of
// dy[m] (x[m] - mean[m]) rstd[m] with GAIN: the gradients of a trained layer's bias and of a LayerNorm's gain.
//
// dy, x [M, N]; mean, rstd [M]; part [slices, N]. reduce.comp adds the slices in order. One thread computes one column of one slice
// (include/numbers.glsl). Reference: sdk/internal/ref/matmul.go, layernorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "numbers.glsl"

NUMBERS(0, dy);
#if defined(GAIN)
NUMBERS(1, x);
layout(std430, set = 0, binding = 2) readonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 3) readonly buffer Rstd { float rstd[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Part { NUMBER part[]; };
#else
layout(std430, set = 0, binding = 1) writeonly buffer Part { NUMBER part[]; };
#endif
layout(push_constant) uniform Push { uint M, N, slices; };

#include "load.glsl"

void main() {
    uint width = N / UNIT, id = flatIndex(), n = id % width, z = id / width;
    if (z >= slices) return;
    uint rows = (M + slices - 1u) / slices, end = min((z + 1u) * rows, M);
    NUMBER sum = NUMBER(0.0);
    for (uint m = z * rows; m < end; m++) {
#if defined(GAIN)
        sum = fma(READ(dy, m * width + n), (READ(x, m * width + n) - mean[m]) * rstd[m], sum);
#else
        sum += READ(dy, m * width + n);
#endif
    }
    part[z * width + n] = sum;
}
