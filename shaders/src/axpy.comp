// y = y + alpha x, elementwise: the smallest useful kernel. It is the smoke test of a driver.
//
// x, y: float32 [n]; TEXEL reads x as RGBA texels. One invocation computes one element; groups beyond 65535 are
// reached by the grid-stride loop. One rounding per multiply and per add (no contraction): any device gives the
// same bits.
#version 450

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#ifdef TEXEL
layout(set = 0, binding = 0) uniform samplerBuffer x;
#define X(i) texelFetch(x, int((i) / 4))[(i) % 4]
#else
layout(std430, set = 0, binding = 0) readonly buffer Xs { float x[]; };
#define X(i) x[i]
#endif
layout(std430, set = 0, binding = 1) buffer Ys { float y[]; };
layout(push_constant) uniform Push { uint n; float alpha; };

void main() {
    uint stride = gl_NumWorkGroups.x * WORKGROUP;
    for (uint i = gl_GlobalInvocationID.x; i < n; i += stride) {
        precise float product = alpha * X(i);
        precise float sum = y[i] + product;
        y[i] = sum;
    }
}
