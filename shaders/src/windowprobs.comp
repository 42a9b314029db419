// Attention probabilities within windows for inspection, [B windows, H, L, L] over the places of a window. One thread
// computes one row: the scores' maximum and sum first, then the quotients, each from the dot product anew.
// Reference: sdk/internal/ref/window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "windows.glsl"

VEC4S(0, qkv);
VEC4S(1, pad);
layout(std430, set = 0, binding = 2) readonly buffer Table { float table[]; };
layout(std430, set = 0, binding = 3) writeonly buffer P { float p[]; };

void main() {
    uint image, window, head, first;
    if (!owned(image, window, head, first)) return;
    Place at = ownedPlace(window, first);
    vec4 q[QUADS];
    LOADPLACE(q, 0u, at)
    float top = -1e30, total = 0.0, s;
    EACHPLACE(y, x) {
        Place key = placeAt(window, y, x);
        DOTKEY(s, q, key)
        s = fma(s, scale, BIAS(at, key));
        if (s > top) {
            total *= exp(top - s);
            top = s;
        }
        total += exp(s - top);
    }
    uint to = (((image * windowsOfGrid() + window) * H + head) * placesOf() + first) * placesOf();
    EACHPLACE(y, x) {
        Place key = placeAt(window, y, x);
        DOTKEY(s, q, key)
        p[to++] = exp(fma(s, scale, BIAS(at, key)) - top) / total;
    }
}
