// Attention as products of plain matrices, for GPUs with few registers a thread and no memory apart from their caches. The
// host takes `count` pairs of an image (with WINDOWS a window of one) and a head at a time, from `first` on; the scores of
// each are a matrix [L, stride], L the tokens or places and stride L rounded up to 4, zeros behind L. A thread computes
// 4 x 4 numbers of one product. With WINDOWS, MASKED and the like are those of include/windows.glsl.

#define PAIRS
#if defined(WINDOWS)
#include "windows.glsl"
uint sizeOf() { return placesOf(); }
#else
layout(constant_id = 9) const bool WIDE = false; // d is a multiple of 4

layout(push_constant) uniform Push { uint B, T, H, d; float scale; uint first, count, stride; };

#include "load.glsl"
#include "qkv.glsl"

const bool PADDED = false;
const uint NONE = 0xffffffffu;

uint sizeOf() { return T; }
#endif

// Marks an offset into pad instead of qkv.
const uint PAD = 0x80000000u;

struct Pair {
    uint image, window, head;
};

Pair pairAt(uint i) {
    i += first;
#if defined(WINDOWS)
    return Pair(i / (H * windowsOfGrid()), i / H % windowsOfGrid(), i % H);
#else
    return Pair(i / H, 0u, i % H);
#endif
}

#if defined(WINDOWS)
Place placeOf(Pair p, uint i) { return ownedPlace(p.window, i); }
uint tokenOf(Pair p, uint i) { return placeOf(p, i).token; }
uint tokensOf() { return tokens(); }
#else
uint tokenOf(Pair p, uint i) { return min(i, T - 1u); }
uint tokensOf() { return T; }
#endif

// Element offset of q (part 0), k (1) or v (2) of token or place i, the last one where there is no such; of its head in
// o; and its number in lse and delta. Padding has no numbers and no head in o: that of token 0 stands for it.
uint vectorAt(uint part, Pair p, uint i) {
    uint token = tokenOf(p, i);
    if (PADDED && token == NONE) return PAD | (part * H + p.head) * d;
    return ((p.image * tokensOf() + token) * 3u + part) * H * d + p.head * d;
}
uint known(uint token) { return PADDED && token == NONE ? 0u : token; }
uint outAt(Pair p, uint i) { return (p.image * tokensOf() + known(tokenOf(p, i))) * H * d + p.head * d; }
uint numberAt(Pair p, uint i) { return (p.image * H + p.head) * tokensOf() + known(tokenOf(p, i)); }

// Whether there is a token i, and what it computes is kept.
bool kept(Pair p, uint i) { return i < sizeOf() && !(PADDED && tokenOf(p, i) == NONE); }

#if defined(WINDOWS)
#define VECTOR(at, c) (PADDED && ((at) & PAD) != 0u ? LOAD4(pad, ((at) & ~PAD) + (c), d - (c)) : QKV4((at) + (c), d - (c)))
#else
#define VECTOR(at, c) QKV4((at) + (c), d - (c))
#endif

#define EACH4(i) [[unroll]] for (uint i = 0; i < 4; i++)
