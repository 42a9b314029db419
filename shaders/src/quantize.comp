// Activations or gradients to int8, symmetric, a scale for each block of a row:
//
//   q = roundEven(x columns factor),  factor = 127 / largest magnitude of the block,  scale = 1 / factor
//
// x float32 [M, K]; q with its scales as include/rounded.glsl says, BLOCK words of 16 columns a block, 0 for a whole row; columns
// [K], with GRADIENT the column scales of the weight w that is multiplied next, else ones. LANES threads have a block: each
// takes every LANES-th four columns. Reference: quant/activations.go, sdk/internal/ref/activations.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 1) const uint LANES = 16;   // a power of two
layout(constant_id = 7) const uint BLOCK = 0;
layout(constant_id = 9) const bool WIDE = false; // K is a multiple of 4

#include "load.glsl"
#include "rounded.glsl"

VEC4S(0, x);
#if defined(GRADIENT)
#define Q8C
#include "weights.glsl"
layout(std430, set = 0, binding = 2) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { uint M, K, wordsBefore; }; // words of w before its scales
#else
layout(std430, set = 0, binding = 1) writeonly buffer Y { uint y[]; };
layout(push_constant) uniform Push { uint M, K; };
#endif

shared float peak[gl_WorkGroupSize.x];

// Columns k .. k+3 of a row.
vec4 four(uint row, uint k) {
    if (k >= K) return vec4(0.0);
    vec4 v = LOAD4(x, row * K + k, K - k);
#if defined(GRADIENT)
    v *= uintBitsToFloat(WORD(wordsBefore + k / 4u));
#endif
    return v;
}

void main() {
    uint words = (K + 15u) / 16u, width = BLOCK == 0u ? words : BLOCK, blocks = (words + width - 1u) / width;
    uint thread = gl_LocalInvocationID.x, team = flatIndex() / LANES, lane = thread % LANES, block = team % blocks, row = team / blocks;
    uint from = 4u * width * block, to = min(from + 4u * width, 4u * words), at = min(row, M - 1u);
    vec4 most = vec4(0.0);
    for (uint w = from + lane; w < to; w += LANES) most = max(most, abs(four(at, 4u * w)));
    peak[thread] = largest(most);
    barrier();
    float top = 0.0;
    for (uint t = 0; t < LANES; t++) top = max(top, peak[thread - lane + t]);
    vec2 range = rangeOf(top);
    if (row < M) {
        for (uint w = from + lane; w < to; w += LANES) y[row * 4u * words + w] = toInt8(four(row, 4u * w), range.y);
        if (lane == 0u) y[roundedScale(M, words, block, row)] = floatBitsToUint(range.x);
    }
}
