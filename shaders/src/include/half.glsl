// Matrices that may be float16 in memory (HALF, which the host sets) and are float32 in registers: two words for four
// columns, the first in the lowest bits. Rows are of whole vectors of four.

layout(constant_id = 10) const bool HALF = false;

// float16 of x: the nearest, ties to even; 65504 and infinity's sign beyond that; zero below 2^-14, which drivers may flush; NaN
// for NaN. In integers, because packHalf2x16 rounds as each driver likes: all devices then store the same bits.
uint halfOf(float x) {
    uint u = floatBitsToUint(x), a = u & 0x7fffffffu;
    uint h = min((a + 0xfffu + (a >> 13 & 1u)) >> 13, 0x23bffu) - 0x1c000u; // exponents start 112 higher in float32
    h = a < 0x38800000u ? 0u : a > 0x7f800000u ? 0x7e00u : h;
    return h | (u >> 16 & 0x8000u);
}

uvec2 halvesOf(vec4 v) { return uvec2(halfOf(v.x) | halfOf(v.y) << 16, halfOf(v.z) | halfOf(v.w) << 16); }

vec4 floatsOf(uvec2 halves) { return vec4(unpackHalf2x16(halves.x), unpackHalf2x16(halves.y)); }
