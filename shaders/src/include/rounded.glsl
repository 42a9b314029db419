// Activations [M, K] rounded to int8 (package quant, activations.go) as one buffer: rows of WORDS = ceil(K / 16) words of
// 128 bits, the lowest channel in the lowest bits, padded with zeros; then the scales, float32, [blocks][M padded to 4].

// The scale of a block whose largest magnitude is top, and the factor that takes a value to its int8.
vec2 rangeOf(float top) { return top >= 1e-30 ? vec2(top / 127.0, 127.0 / top) : vec2(0.0); }

float largest(vec4 v) { return max(max(v.x, v.y), max(v.z, v.w)); }

// Four values as one word. GLSL's round leaves ties open, roundEven does not.
uint toInt8(vec4 v, float factor) {
    uvec4 q = uvec4(ivec4(roundEven(v * factor))) & 255u;
    return q.x | q.y << 8 | q.z << 16 | q.w << 24;
}

// Stores the QUADS vectors v of 64 columns as one block of row, of rows that have words.
#define STOREBLOCK(buf, rows, words, block, row, v) { \
    vec4 high = vec4(0.0); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) high = max(high, abs(v[i])); \
    vec2 range = rangeOf(largest(high)); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) buf[(row) * (words) * 4u + (block) * QUADS + i] = toInt8(v[i], range.y); \
    buf[roundedScale(rows, words, block, row)] = floatBitsToUint(range.x); }

// Index, in 32-bit words, of the scale of a row's block.
uint roundedScale(uint rows, uint words, uint block, uint row) { return rows * words * 4u + block * ((rows + 3u) & ~3u) + row; }
