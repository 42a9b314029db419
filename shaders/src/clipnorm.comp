// Bounding the norm of x [count]. SQUARES: thread t's sum of the squares of x[t], x[t + threads], ... to part [threads].
// Otherwise x = x limit / norm where norm, the root of squares [1], is above the limit; one thread an element.
// Reference: sdk/internal/ref/clipnorm.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#if defined(SQUARES)
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Part { float part[]; };
layout(push_constant) uniform Push { uint count, threads; };
#else
layout(std430, set = 0, binding = 0) readonly buffer Squares { float squares[]; };
layout(std430, set = 0, binding = 1) buffer X { float x[]; };
layout(push_constant) uniform Push { uint count; float limit; };
#endif

#include "load.glsl"

void main() {
    uint t = flatIndex();
#if defined(SQUARES)
    if (t >= threads) return;
    float sum = 0.0;
    for (uint i = t; i < count; i += threads) sum = fma(x[i], x[i], sum);
    part[t] = sum;
#else
    if (t >= count) return;
    float norm = sqrt(squares[0]);
    if (norm > limit) x[t] *= limit / norm;
#endif
}
