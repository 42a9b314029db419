// Elementwise: ADD y = a + b; BY y = a[0] y; else y = factor a. All [count], a [1] with BY. One thread each. Reference: sdk/internal/ref/elementwise.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer A { float a[]; };
#if defined(ADD)
layout(std430, set = 0, binding = 1) readonly buffer B { float b[]; };
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };
#elif defined(BY)
layout(std430, set = 0, binding = 1) buffer Y { float y[]; };
#else
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint count; float factor; };

#include "load.glsl"

void main() {
    uint i = flatIndex();
    if (i >= count) return;
#if defined(ADD)
    y[i] = a[i] + b[i];
#elif defined(BY)
    y[i] *= a[0];
#else
    y[i] = factor * a[i];
#endif
}
