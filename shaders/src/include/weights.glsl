// Frozen weights [N, K] in panels (package quant, pack.go): [N/64][K/KPL][64 slots] of 128 bits, KPL numbers of one
// column each, N padded to 64 and K to KPL with zeros. Slot s of a panel holds column 4 (s mod 16) + s/16, so that a
// thread that reads slots t, t+16, t+32, t+48 owns the 4 adjacent columns 4t .. 4t+3. After the panels follow, with Q4G,
// the scales of the groups, float16 [N/64][K / (KPL GROUP)][64 columns], and then the column scales, float32, N padded to
// 64. In the functions below words is how many words of 128 bits a column has.
//
// widen gives the numbers of column quad step of a word as float32.

// Four int8 of a word of 32 bits.
vec4 bytes4(uint word) {
    int x = int(word);
    return vec4(ivec4(x << 24, x << 16, x << 8, x) >> 24);
}

#if defined(Q4G)
const uint KPL = 32;
layout(constant_id = 6) const uint GROUP = 2; // words of a column that share a scale
// Of eight numbers the first four are the low halves of bytes, the others the high ones.
vec4 nibbles4(uint part, uint high) {
    int x = int(part << (4u - 4u * high));
    return vec4(ivec4(x << 24, x << 16, x << 8, x) >> 28);
}
vec4 widen(uvec4 word, uint step) { return nibbles4(word[step / 2u], step % 2u); }
#elif defined(Q8C)
const uint KPL = 16, GROUP = 0;
vec4 widen(uvec4 word, uint step) { return bytes4(word[step]); }
#elif defined(F16)
const uint KPL = 8, GROUP = 0;
vec4 widen(uvec4 word, uint step) { return vec4(unpackHalf2x16(word[2u * step]), unpackHalf2x16(word[2u * step + 1u])); }
#else // F32
const uint KPL = 4, GROUP = 0;
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

#if defined(Q4G)
uint groupsOf(uint words) { return (words + GROUP - 1u) / GROUP; }
uint scalesAt(uint panels, uint words) { return panels * (words * 64u + groupsOf(words) * 8u); }

// Scale of the group of a word of columns 4 quad .. 4 quad + 3.
vec4 groupScales(uint panels, uint words, uint quad, uint word) {
    uvec4 eight = WORD(panels * words * 64u + (quad / 16u * groupsOf(words) + word / GROUP) * 8u + quad % 16u / 2u);
    uvec2 four = quad % 2u == 0u ? eight.xy : eight.zw;
    return vec4(unpackHalf2x16(four.x), unpackHalf2x16(four.y));
}
#else
uint scalesAt(uint panels, uint words) { return panels * words * 64u; }
vec4 groupScales(uint panels, uint words, uint quad, uint word) { return vec4(1.0); }
#endif

// Scale of columns 4 quad .. 4 quad + 3.
vec4 scales(uint panels, uint words, uint quad) { return uintBitsToFloat(WORD(scalesAt(panels, words) + quad)); }

// Whether word ends a group.
bool endsGroup(uint word, uint words) { return GROUP != 0u && ((word + 1u) % GROUP == 0u || word + 1u == words); }

// Column quad step of word i by itself: no more is loaded than that.
#if defined(TEXEL) || !(defined(Q8C) || defined(Q4G) || defined(F16))
#define WIDENED(i, step) widen(WORD(i), step)
#elif defined(Q8C)
#define WIDENED(i, step) bytes4(w[i][step])
#elif defined(Q4G)
#define WIDENED(i, step) nibbles4(w[i][(step) / 2u], (step) % 2u)
#else
#define WIDENED(i, step) vec4(unpackHalf2x16(w[i][2u * (step)]), unpackHalf2x16(w[i][2u * (step) + 1u]))
#endif
