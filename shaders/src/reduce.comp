// Sum of slices in order: y = scale (part[0] + part[1] + ...). part [slices, count]; y [count].
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "numbers.glsl"

NUMBERS(0, part);
layout(std430, set = 0, binding = 1) writeonly buffer Y { NUMBER y[]; };
layout(push_constant) uniform Push { uint count, slices; float scale; };

#include "load.glsl"

void main() {
    uint i = flatIndex(), width = count / UNIT;
    if (i >= width) return;
    NUMBER sum = NUMBER(0.0);
    for (uint z = 0; z < slices; z++) sum += READ(part, z * width + i);
    y[i] = scale * sum;
}
