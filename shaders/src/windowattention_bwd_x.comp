// Gradient of the attention within windows. With P = exp(q kt scale + bias + mask - lse) and dS = P * (do vt - delta):
//
//   DQ   dq = scale dS k        one thread for OWN queries, over the keys of their window
//   DK   dk = scale dSt q       one thread for OWN keys, over the queries
//   DV   dv = Pt do             one thread for OWN keys, over the queries
//
// Three kernels, as in attention_lanes_bwd_x.comp. Queries of padding have no gradient; what reaches keys of padding ends there.
// Layouts: include/windows.glsl. float32 throughout, sums in increasing order of places. Reference: sdk/internal/ref/window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "windows.glsl"

VEC4S(0, qkv);
VEC4S(1, pad);
layout(std430, set = 0, binding = 2) readonly buffer Table { float table[]; };
layout(std430, set = 0, binding = 3) readonly buffer LSE { float lse[]; };
VEC4S(4, dout);
#if defined(DV)
layout(std430, set = 0, binding = 5) writeonly buffer DQKV { float dqkv[]; };
#else
layout(std430, set = 0, binding = 5) readonly buffer Delta { float delta[]; };
layout(std430, set = 0, binding = 6) writeonly buffer DQKV { float dqkv[]; };
#endif

void main() {
    uint image, window, head, first;
    if (!owned(image, window, head, first)) return;
    uint row = (image * H + head) * tokens(); // of this image and head in lse and delta
    Place at[OWN];
    vec4 sum[OWN][QUADS], other[QUADS];
    EACHOWN {
        at[j] = ownedPlace(window, first + j);
        ZEROHEAD(sum[j])
    }
#if defined(DQ)
    vec4 q[OWN][QUADS], dq[OWN][QUADS];
    float l[OWN], dl[OWN];
    EACHOWN {
        uint t = PADDED && at[j].token == NONE ? 0u : at[j].token; // computed in vain, not stored
        LOADFROM(q[j], qkv, qkvAt(0u, image, head, t))
        LOADFROM(dq[j], dout, headAt(image, head, t))
        l[j] = lse[row + t];
        dl[j] = delta[row + t];
    }
    EACHPLACE(y, x) {
        Place key = placeAt(window, y, x);
        float s, g[OWN];
        LOADPLACE(other, 2u, key)
        EACHOWN DOTHEAD(g[j], dq[j], other)
        LOADPLACE(other, 1u, key)
        EACHOWN {
            DOTHEAD(s, q[j], other)
            ADDHEAD(sum[j], exp(fma(s, scale, BIAS(at[j], key)) - l[j]) * (g[j] - dl[j]), other)
        }
    }
    const uint part = 0u;
    const bool scaled = true;
#elif defined(DK)
    vec4 k[OWN][QUADS], v[OWN][QUADS];
    EACHOWN {
        LOADPLACE(k[j], 1u, at[j])
        LOADPLACE(v[j], 2u, at[j])
    }
    EACHPLACE(y, x) {
        Place query = placeAt(window, y, x);
        if (PADDED && query.token == NONE) continue;
        float s, g[OWN], l = lse[row + query.token], dl = delta[row + query.token];
        LOADFROM(other, dout, headAt(image, head, query.token))
        EACHOWN DOTHEAD(g[j], v[j], other)
        LOADFROM(other, qkv, qkvAt(0u, image, head, query.token))
        EACHOWN {
            DOTHEAD(s, k[j], other)
            ADDHEAD(sum[j], exp(fma(s, scale, BIAS(query, at[j])) - l) * (g[j] - dl), other)
        }
    }
    const uint part = 1u;
    const bool scaled = true;
#else // DV
    vec4 k[OWN][QUADS];
    EACHOWN LOADPLACE(k[j], 1u, at[j])
    EACHPLACE(y, x) {
        Place query = placeAt(window, y, x);
        if (PADDED && query.token == NONE) continue;
        float s[OWN], l = lse[row + query.token];
        LOADFROM(other, qkv, qkvAt(0u, image, head, query.token))
        EACHOWN DOTHEAD(s[j], k[j], other)
        LOADFROM(other, dout, headAt(image, head, query.token))
        EACHOWN ADDHEAD(sum[j], exp(fma(s[j], scale, BIAS(query, at[j])) - l), other)
    }
    const uint part = 2u;
    const bool scaled = false;
#endif
    EACHOWN if (first + j < placesOf() && at[j].token != NONE)
        STOREHEAD(dqkv, qkvAt(part, image, head, at[j].token), sum[j], scaled ? scale : 1.0)
}
