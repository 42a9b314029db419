// How attention reads q, k and v: QKV declares the buffer and QKV4 loads elements at .. at+3 of it as LOAD4 does. For FORWARD
// kernels they may be float16. Texels need no word of it: the host gives the view that format, and a fetch converts.

#if defined(FORWARD) && !defined(TEXEL)
#include "half.glsl"

#define QKV(slot) VEC4S(slot, qkv); layout(std430, set = 0, binding = slot) readonly buffer Halves { uvec2 halves[]; }
#define HALFELEM(i) unpackHalf2x16(halves[(i) >> 2][(i) >> 1 & 1u])[(i) & 1u]
#define QKV4(at, left) (!HALF ? LOAD4(qkv, at, left) : WIDE ? floatsOf(halves[(at) >> 2]) : vec4( \
    (left) > 0u ? HALFELEM(at) : 0.0, (left) > 1u ? HALFELEM((at) + 1u) : 0.0, \
    (left) > 2u ? HALFELEM((at) + 2u) : 0.0, (left) > 3u ? HALFELEM((at) + 3u) : 0.0))
#else
#define QKV(slot) VEC4S(slot, qkv)
#define QKV4(at, left) LOAD4(qkv, at, left)
#endif
