// Gradient of the attention. With P = exp(q kt scale - lse) and dS = P * (do vt - delta):
//
//   DQ   dq = scale dS k        one thread per query, over the keys
//   DK   dk = scale dSt q       one thread per key, over the queries
//   DV   dv = Pt do             one thread per key, over the queries
//
// P is recomputed in each, so that no T x T matrix exists and nobody adds to what another wrote: no atomics. Three
// kernels, for the third vector of d channels is what a thread's registers still hold. Layouts: include/heads.glsl.
// float32 throughout, sums in increasing order of keys or queries. Reference: sdk/internal/ref/attention.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#include "heads.glsl"

VEC4S(0, qkv);
layout(std430, set = 0, binding = 1) readonly buffer LSE { float lse[]; };
VEC4S(2, dout);
#if defined(DV)
layout(std430, set = 0, binding = 3) writeonly buffer DQKV { float dqkv[]; };
#else
layout(std430, set = 0, binding = 3) readonly buffer Delta { float delta[]; };
layout(std430, set = 0, binding = 4) writeonly buffer DQKV { float dqkv[]; };
#endif

void main() {
    uint id = flatIndex(), t = id % T, head = id / T % H, image = id / (T * H);
    if (image >= B) return;
    uint first = id - t; // of this image and head in lse and delta
    vec4 sum[QUADS], other[QUADS];
    [[unroll]] for (uint i = 0; i < QUADS; i++) sum[i] = vec4(0.0);
    float s, g;
#if defined(DQ)
    vec4 q[QUADS], dq[QUADS];
    LOADHEAD(q, qkv, qkvAt(0u, image, head, t))
    LOADHEAD(dq, dout, headAt(image, head, t))
    for (uint u = 0; u < T; u++) {
        LOADHEAD(other, qkv, qkvAt(2u, image, head, u))
        DOTHEAD(g, dq, other)
        LOADHEAD(other, qkv, qkvAt(1u, image, head, u))
        DOTHEAD(s, q, other)
        ADDHEAD(sum, exp(s * scale - lse[id]) * (g - delta[id]), other)
    }
    STOREHEAD(dqkv, qkvAt(0u, image, head, t), sum, scale)
#elif defined(DK)
    vec4 k[QUADS], v[QUADS];
    LOADHEAD(k, qkv, qkvAt(1u, image, head, t))
    LOADHEAD(v, qkv, qkvAt(2u, image, head, t))
    for (uint u = 0; u < T; u++) {
        LOADHEAD(other, dout, headAt(image, head, u))
        DOTHEAD(g, v, other)
        LOADHEAD(other, qkv, qkvAt(0u, image, head, u))
        DOTHEAD(s, k, other)
        ADDHEAD(sum, exp(s * scale - lse[first + u]) * (g - delta[first + u]), other)
    }
    STOREHEAD(dqkv, qkvAt(1u, image, head, t), sum, scale)
#else // DV
    vec4 k[QUADS];
    LOADHEAD(k, qkv, qkvAt(1u, image, head, t))
    for (uint u = 0; u < T; u++) {
        LOADHEAD(other, qkv, qkvAt(0u, image, head, u))
        DOTHEAD(s, k, other)
        LOADHEAD(other, dout, headAt(image, head, u))
        ADDHEAD(sum, exp(s * scale - lse[first + u]), other)
    }
    STOREHEAD(dqkv, qkvAt(2u, image, head, t), sum, 1.0)
#endif
}
