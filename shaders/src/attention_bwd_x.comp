// Gradient of the attention. With P = exp(q kt scale - lse) and dS = P * (do vt - delta):
//
//   DQ   dq = scale dS k        one thread for OWN queries, over the keys
//   DK   dk = scale dSt q       one thread for OWN keys, over the queries
//   DV   dv = Pt do             one thread for OWN keys, over the queries
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
    uint image, head, first;
    if (!owned(image, head, first)) return;
    uint row = (image * H + head) * T; // of this image and head in lse and delta
    vec4 sum[OWN][QUADS], other[QUADS];
    EACHOWN [[unroll]] for (uint i = 0; i < QUADS; i++) sum[j][i] = vec4(0.0);
#if defined(DQ)
    vec4 q[OWN][QUADS], dq[OWN][QUADS];
    float l[OWN], dl[OWN];
    EACHOWN {
        uint t = min(first + j, T - 1u);
        LOADHEAD(q[j], qkv, qkvAt(0u, image, head, t))
        LOADHEAD(dq[j], dout, headAt(image, head, t))
        l[j] = lse[row + t];
        dl[j] = delta[row + t];
    }
    for (uint u = 0; u < T; u++) {
        float s, g[OWN];
        LOADHEAD(other, qkv, qkvAt(2u, image, head, u))
        EACHOWN DOTHEAD(g[j], dq[j], other)
        LOADHEAD(other, qkv, qkvAt(1u, image, head, u))
        EACHOWN {
            DOTHEAD(s, q[j], other)
            ADDHEAD(sum[j], exp(s * scale - l[j]) * (g[j] - dl[j]), other)
        }
    }
    const uint part = 0u;
    const bool scaled = true;
#elif defined(DK)
    vec4 k[OWN][QUADS], v[OWN][QUADS];
    EACHOWN {
        LOADHEAD(k[j], qkv, qkvAt(1u, image, head, min(first + j, T - 1u)))
        LOADHEAD(v[j], qkv, qkvAt(2u, image, head, min(first + j, T - 1u)))
    }
    for (uint u = 0; u < T; u++) {
        float s, g[OWN], l = lse[row + u], dl = delta[row + u];
        LOADHEAD(other, dout, headAt(image, head, u))
        EACHOWN DOTHEAD(g[j], v[j], other)
        LOADHEAD(other, qkv, qkvAt(0u, image, head, u))
        EACHOWN {
            DOTHEAD(s, k[j], other)
            ADDHEAD(sum[j], exp(s * scale - l) * (g[j] - dl), other)
        }
    }
    const uint part = 1u;
    const bool scaled = true;
#else // DV
    vec4 k[OWN][QUADS];
    EACHOWN LOADHEAD(k[j], qkv, qkvAt(1u, image, head, min(first + j, T - 1u)))
    for (uint u = 0; u < T; u++) {
        float s[OWN], l = lse[row + u];
        LOADHEAD(other, qkv, qkvAt(0u, image, head, u))
        EACHOWN DOTHEAD(s[j], k[j], other)
        LOADHEAD(other, dout, headAt(image, head, u))
        EACHOWN ADDHEAD(sum[j], exp(s[j] * scale - l), other)
    }
    const uint part = 2u;
    const bool scaled = false;
#endif
    EACHOWN if (first + j < T) STOREHEAD(dqkv, qkvAt(part, image, head, first + j), sum[j], scaled ? scale : 1.0)
}
