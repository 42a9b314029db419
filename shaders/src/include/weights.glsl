// Frozen weights [N, K] in panels (package quant, pack.go): [N/64][K/KPL][64 slots] of 128 bits, KPL numbers of one
// column each, N padded to 64 and K to KPL with zeros. Slot s of a panel holds column 4 (s mod 16) + s/16, so that a
// thread that reads slots t, t+16, t+32, t+48 owns the 4 adjacent columns 4t .. 4t+3. After the panels follow the
// column scales, float32, N padded to 64.

//
// widen gives the numbers of column quad step of a word as float32.

#if defined(Q8C)
const uint KPL = 16;
vec4 widen1(uint part) {
    int x = int(part);
    return vec4(ivec4(x << 24, x << 16, x << 8, x) >> 24);
}
vec4 widen(uvec4 word, uint step) { return widen1(word[step]); }
#elif defined(F16)
const uint KPL = 8;
vec4 widen(uvec4 word, uint step) { return vec4(unpackHalf2x16(word[2u * step]), unpackHalf2x16(word[2u * step + 1u])); }
#else // F32
const uint KPL = 4;
vec4 widen(uvec4 word, uint step) { return uintBitsToFloat(word); }
#endif

// Quads of k in one 128-bit word.
const uint STEPS = KPL / 4;

#if defined(TEXEL)
layout(set = 0, binding = 1) uniform usamplerBuffer w;
#define WORD(i) texelFetch(w, int(i))
#else
layout(std430, set = 0, binding = 1) readonly buffer W { uvec4 w[]; };
#define WORD(i) w[i]
#endif

// Scale of columns 4 quad .. 4 quad + 3.
vec4 scales(uint panels, uint groups, uint quad) { return uintBitsToFloat(WORD(panels * groups * 64u + quad)); }

// Column quad step of word i by itself: no more is loaded than that.
#if defined(TEXEL) || !(defined(Q8C) || defined(F16))
#define WIDENED(i, step) widen(WORD(i), step)
#elif defined(Q8C)
#define WIDENED(i, step) widen1(w[i][step])
#else
#define WIDENED(i, step) vec4(unpackHalf2x16(w[i][2u * (step)]), unpackHalf2x16(w[i][2u * (step) + 1u]))
#endif
