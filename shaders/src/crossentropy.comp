// Cross entropy of softmax, per image, with its gradient:
//
//   loss = scale (log sum exp z - sum y z);  dz = scale (softmax z - y);  y = (1 - smoothing) onehot target + smoothing / C
//
// z, dz [B, C]; target int [B], in range by the host's check; loss [B]. One thread per image; the largest logit is
// taken out first, so nothing overflows. Reference: sdk/internal/ref/loss.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer Z { float z[]; };
layout(std430, set = 0, binding = 1) readonly buffer Target { int label[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Loss { float loss[]; };
layout(std430, set = 0, binding = 3) writeonly buffer DZ { float dz[]; };
layout(push_constant) uniform Push { uint B, C; float scale, smoothing; };

#include "load.glsl"

void main() {
    uint b = flatIndex();
    if (b >= B) return;
    uint at = b * C, right = min(uint(label[b]), C - 1u);
    float top = z[at], sum = 0.0, cross = 0.0, rest = smoothing / float(C);
    for (uint c = 1; c < C; c++) top = max(top, z[at + c]);
    for (uint c = 0; c < C; c++) sum += exp(z[at + c] - top);
    for (uint c = 0; c < C; c++) {
        float y = c == right ? 1.0 - smoothing + rest : rest;
        cross = fma(y, z[at + c] - top, cross);
        dz[at + c] = scale * (exp(z[at + c] - top) / sum - y);
    }
    loss[b] = scale * (log(sum) - cross);
}
