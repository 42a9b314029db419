// BatchNorm without affine parameters, per feature: y = (x - mean) / sqrt(var + eps).
//
//   TRAIN   mean and biased var of the batch; the running values move towards them by momentum, the variance by its
//           unbiased form (the biased one where B is 1); rstd is kept for the gradient
//   else    the running values
//
// x, y [B, F]; runningMean, runningVar, rstd [F]. One thread per feature; sums over the batch in order, two passes.
// Reference: sdk/internal/ref/batchnorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
#if defined(TRAIN)
layout(std430, set = 0, binding = 1) buffer RunningMean { float runningMean[]; };
layout(std430, set = 0, binding = 2) buffer RunningVar { float runningVar[]; };
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Rstd { float rstd[]; };
#else
layout(std430, set = 0, binding = 1) readonly buffer RunningMean { float runningMean[]; };
layout(std430, set = 0, binding = 2) readonly buffer RunningVar { float runningVar[]; };
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint B, F; float eps, momentum; };

#include "load.glsl"

void main() {
    uint f = flatIndex();
    if (f >= F) return;
#if defined(TRAIN)
    float mean = 0.0, var = 0.0;
    for (uint b = 0; b < B; b++) mean += x[b * F + f];
    mean /= float(B);
    for (uint b = 0; b < B; b++) {
        float d = x[b * F + f] - mean;
        var = fma(d, d, var);
    }
    float unbiased = var / float(max(B, 2u) - 1u);
    var /= float(B);
    runningMean[f] += momentum * (mean - runningMean[f]);
    runningVar[f] += momentum * (unbiased - runningVar[f]);
    float r = 1.0 / sqrt(var + eps);
    rstd[f] = r;
#else
    float mean = runningMean[f], r = 1.0 / sqrt(runningVar[f] + eps);
#endif
    for (uint b = 0; b < B; b++) y[b * F + f] = (x[b * F + f] - mean) * r;
}
