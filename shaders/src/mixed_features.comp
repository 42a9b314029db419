// Each image's features as its task wants them, and what the task's head reads:
//
//   f = cls | LayerNorm(mean) or mean | cls and mean | normed mean;   z = (f - runningMean) / sqrt(runningVar + statsEps), or f
//
// normed [B, 2 D], class token and mean after the backbone's last norm; mean [B, D], before it; f, z [B, 2 D], zero beyond
// the F elements of the image's mode. mix [B, columns] int32 says how and where in the arena (sdk/internal/backend/mixed.go),
// -1 that there is none. One group of LANES threads per image; a thread's partial sums are added by a fixed tree, float32.
// Reference: sdk/internal/ref/mixed.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint LANES = 32; // a power of two

layout(std430, set = 0, binding = 0) readonly buffer Mix { int mix[]; };
#include "arena.glsl"
layout(std430, set = 0, binding = 2) readonly buffer Normed { float normed[]; };
layout(std430, set = 0, binding = 3) readonly buffer Mean { float mean[]; };
layout(std430, set = 0, binding = 4) writeonly buffer F { float f[]; };
layout(std430, set = 0, binding = 5) writeonly buffer Z { float z[]; };
layout(push_constant) uniform Push { uint B, D, columns; float normEps, statsEps; };

#include "rowsum.glsl"

// Columns of mix, and values of POOL.
const uint POOL = 0u, NORM = 1u, STATS = 2u;
const int POOL_MEAN = 1, POOL_CLS_MEAN = 2, POOL_NORM_MEAN = 3;

uint align(uint n) { return (n + 63u) & ~63u; }

void main() {
    uint lane = gl_LocalInvocationID.x, row = rowIndex(), image = min(row, B - 1u), at = image * D;
    int pool = mix[image * columns + POOL], norm = mix[image * columns + NORM], stats = mix[image * columns + STATS];
    float sum = 0.0;
    for (uint i = lane; i < D; i += LANES) sum += mean[at + i];
    float mu = rowSum(sum) / float(D);
    sum = 0.0;
    for (uint i = lane; i < D; i += LANES) {
        float d = mean[at + i] - mu;
        sum = fma(d, d, sum);
    }
    float r = 1.0 / sqrt(rowSum(sum) / float(D) + normEps);
    if (row >= B) return;
    uint width = pool == POOL_CLS_MEAN ? 2u * D : D;
    for (uint i = lane; i < 2u * D; i += LANES) {
        float v = 0.0, u = 0.0;
        if (i < width) {
            v = pool == POOL_MEAN ? mean[at + i] : normed[2u * at + i + (pool == POOL_NORM_MEAN ? D : 0u)];
            if (pool == POOL_MEAN && norm >= 0) v = fma((v - mu) * r, parameter(norm + i), parameter(norm + align(D) + i));
            u = v;
            if (stats >= 0) u = (v - parameter(stats + i)) / sqrt(parameter(stats + align(width) + i) + statsEps);
        }
        f[2u * at + i] = v;
        z[2u * at + i] = u;
    }
}
