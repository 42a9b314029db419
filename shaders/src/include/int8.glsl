// Products of int8 activations (include/rounded.glsl, binding 0) and weights of integers (include/weights.glsl), of which
// one word meets XWORDS words of activations.
//
// With DOT they are packed dot products of four, summed in int32. Without it they are float32 multiply-adds of widened
// numbers: the same integers, since 127 127 K stays below 2^24 for EXACT words of 16.
//
// product adds one of PARTS parts of a . b over four numbers to s. Callers take a part of all columns before the next one:
// what stands together then does not wait for one another. WEIGHT4 is weight4 of a word by itself.

#if defined(TEXEL)
layout(set = 0, binding = 0) uniform usamplerBuffer x;
#define XWORD(i) texelFetch(x, int(i))
#else
layout(std430, set = 0, binding = 0) readonly buffer X { uvec4 x[]; };
#define XWORD(i) x[i]
#endif

const uint EXACT = 64, XWORDS = KPL / 16;

#if defined(DOT)
// OpSDotKHR on packed 4x8: glslang of 2023 has no keyword for it.
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6019, 6018], id = 4450)
int sdot(int a, int b, spirv_literal int format);
#define SUM int
#define SUMS ivec4
#define STEP uint
const uint PARTS = 1;
int product(uint a, uint b, uint part, int s) { return s + sdot(int(a), int(b), 0); }
STEP step4(uint part) { return part; }
#if defined(Q4G)
const float WUNIT = 0.0625; // the high halves of bytes are 16 times the weights: two operations for four of them
STEP weight4(uvec4 word, uint s) { return word[s / 2u] << (4u - s % 2u * 4u) & 0xf0f0f0f0u; }
#else
const float WUNIT = 1.0;
STEP weight4(uvec4 word, uint s) { return word[s]; }
#endif
#define WEIGHT4(i, s) weight4(WORD(i), s)

// Part p of a word of weights as a word of int8, each weight over WUNIT.
uvec4 int8s(uvec4 word, uint p) {
    return XWORDS == 1u ? word : uvec4(weight4(word, 4u * p), weight4(word, 4u * p + 1u), weight4(word, 4u * p + 2u), weight4(word, 4u * p + 3u));
}

// The four columns of four rows: a transposition of 4 x 4 bytes.
void columns4(uvec4 row, out STEP b[4]) {
    const uint even = 0x00ff00ffu, low = 0x0000ffffu;
    uint p = row.x & even | (row.y & even) << 8, q = row.x >> 8 & even | row.y & ~even; // columns 0 and 2, 1 and 3
    uint r = row.z & even | (row.w & even) << 8, t = row.z >> 8 & even | row.w & ~even;
    b = STEP[4](p & low | r << 16, q & low | t << 16, p >> 16 | r & ~low, q >> 16 | t & ~low);
}
#else
#define SUM float
#define SUMS vec4
#define STEP vec4
const uint PARTS = 4;
float product(vec4 a, vec4 b, uint part, float s) { return fma(a[part], b[part], s); }
STEP step4(uint part) { return bytes4(part); }
const float WUNIT = 1.0;
STEP weight4(uvec4 word, uint s) { return widen(word, s); }
#define WEIGHT4(i, s) WIDENED(i, s)

void columns4(uvec4 row, out STEP b[4]) {
    mat4 m = mat4(bytes4(row.x), bytes4(row.y), bytes4(row.z), bytes4(row.w));
    [[unroll]] for (uint e = 0; e < 4; e++) b[e] = vec4(m[0][e], m[1][e], m[2][e], m[3][e]);
}
#endif
