// Addressing of a fused attention: qkv [B T, 3 H d] holds q, k, v side by side, heads contiguous within each; o and its
// gradient [B T, H d]; lse and delta [B, H, T]. One thread owns one token of one head, and keeps its vectors of d
// channels in QUADS vec4.

layout(constant_id = 1) const uint QUADS = 16;   // ceil(d / 4)
layout(constant_id = 9) const bool WIDE = false; // d is a multiple of 4

layout(push_constant) uniform Push { uint B, T, H, d; float scale; };

#include "load.glsl"

// Element offset of q (part 0), k (1) or v (2) of a token.
uint qkvAt(uint part, uint image, uint head, uint token) { return ((image * T + token) * 3u + part) * H * d + head * d; }

// Element offset of a token's head in o.
uint headAt(uint image, uint head, uint token) { return (image * T + token) * H * d + head * d; }

#define LOADHEAD(dst, buf, at) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = LOAD4(buf, from + 4u * i, d - 4u * i); }

// Channels beyond d hold zeros and are not stored.
#define STOREHEAD(buf, at, src, factor) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) [[unroll]] for (uint j = 0; j < 4; j++) \
        if (4u * i + j < d) buf[from + 4u * i + j] = (factor) * src[i][j]; }

#define DOTHEAD(sum, a, b) { sum = 0.0; [[unroll]] for (uint i = 0; i < QUADS; i++) sum = dot4(a[i], b[i], sum); }

#define ADDHEAD(dst, factor, src) { vec4 by = vec4(factor); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = fma(by, src[i], dst[i]); }
