// Addressing of a fused attention: qkv [B T, 3 H d] holds q, k, v side by side, heads contiguous within each; o and its
// gradient [B T, H d]; lse and delta [B, H, T].

layout(constant_id = 9) const bool WIDE = false; // d is a multiple of 4

layout(push_constant) uniform Push { uint B, T, H, d; float scale; };

#include "load.glsl"
#include "qkv.glsl"

// Element offset of q (part 0), k (1) or v (2) of a token.
uint qkvAt(uint part, uint image, uint head, uint token) { return ((image * T + token) * 3u + part) * H * d + head * d; }

// Element offset of a token's head in o.
uint headAt(uint image, uint head, uint token) { return (image * T + token) * H * d + head * d; }
