// Addressing of a fused attention: qkv [B T, 3 H d] holds q, k, v side by side, heads contiguous within each; o and its
// gradient [B T, H d]; lse and delta [B, H, T]. One thread owns OWN successive tokens of one head, and keeps each
// vector of d channels in QUADS vec4.

layout(constant_id = 1) const uint QUADS = 16;   // ceil(d / 4)
layout(constant_id = 2) const uint OWN = 1;
layout(constant_id = 9) const bool WIDE = false; // d is a multiple of 4

layout(push_constant) uniform Push { uint B, T, H, d; float scale; };

#include "load.glsl"
#include "qkv.glsl"

// What this thread owns: tokens first to first + OWN - 1 of a head, of which those beyond the last repeat it. False where
// there is nothing left.
bool owned(out uint image, out uint head, out uint first) {
    uint blocks = (T + OWN - 1u) / OWN, id = flatIndex();
    first = id % blocks * OWN;
    head = id / blocks % H;
    image = id / (blocks * H);
    return image < B;
}

#define EACHOWN [[unroll]] for (uint j = 0; j < OWN; j++)

// Element offset of q (part 0), k (1) or v (2) of a token.
uint qkvAt(uint part, uint image, uint head, uint token) { return ((image * T + token) * 3u + part) * H * d + head * d; }

// Element offset of a token's head in o.
uint headAt(uint image, uint head, uint token) { return (image * T + token) * H * d + head * d; }

#define LOADHEAD(dst, buf, at) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = LOAD4(buf, from + 4u * i, d - 4u * i); }

// Channels beyond d hold zeros and are not stored.
#define STOREHEAD(buf, at, src, factor) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) [[unroll]] for (uint c = 0; c < 4; c++) \
        if (4u * i + c < d) buf[from + 4u * i + c] = (factor) * src[i][c]; }

#define DOTHEAD(sum, a, b) { sum = 0.0; [[unroll]] for (uint i = 0; i < QUADS; i++) sum = dot4(a[i], b[i], sum); }

#define ADDHEAD(dst, factor, src) { vec4 by = vec4(factor); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = fma(by, src[i], dst[i]); }
