// y = y + alpha x, elementwise: the smallest useful kernel. It is the smoke test of a driver.
//
// x, y: float32 [n]. One invocation computes one element; groups beyond 65535 are reached by the grid-stride loop.
// Reference: one rounding per multiply and per add (no contraction), so that any device gives the same bits.
#version 450

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) buffer Y { float y[]; };
layout(push_constant) uniform Push { uint n; float alpha; };

void main() {
    uint stride = gl_NumWorkGroups.x * WORKGROUP;
    for (uint i = gl_GlobalInvocationID.x; i < n; i += stride) {
        precise float product = alpha * x[i];
        precise float sum = y[i] + product;
        y[i] = sum;
    }
}
