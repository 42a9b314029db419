// Attention probabilities within windows for inspection, [B windows, H, L, L] over the places of a window. One thread
// computes one row: the scores' maximum and sum first, then the quotients, each from the dot product anew.
// Reference: sdk/internal/ref/window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#define FORWARD
#include "windows.glsl"

QKV(0);
VEC4S(1, pad);
layout(std430, set = 0, binding = 2) readonly buffer Table { float table[]; };
layout(std430, set = 0, binding = 3) writeonly buffer P { float p[]; };

// Channels c .. c+3 of q (part 0) or k (1) of a place.
vec4 channels(uint part, uint image, uint head, Place place, uint c) {
    if (PADDED && place.token == NONE) return LOAD4(pad, padAt(part, head) + c, d - c);
    return QKV4(qkvAt(part, image, head, place.token) + c, d - c);
}

float score(uint image, uint head, Place at, Place key) {
    float s = 0.0;
    for (uint c = 0; c < d; c += 4u) s = dot4(channels(0u, image, head, at, c), channels(1u, image, head, key, c), s);
    return fma(s, scale, BIAS(at, key));
}

void main() {
    uint image, window, head, first;
    if (!owned(image, window, head, first)) return;
    Place at = ownedPlace(window, first);
    float top = -1e30, total = 0.0;
    EACHPLACE(y, x) {
        float s = score(image, head, at, placeAt(window, y, x));
        if (s > top) {
            total *= exp(top - s);
            top = s;
        }
        total += exp(s - top);
    }
    uint to = (((image * windowsOfGrid() + window) * H + head) * placesOf() + first) * placesOf();
    EACHPLACE(y, x) p[to++] = exp(score(image, head, at, placeAt(window, y, x)) - top) / total;
}
