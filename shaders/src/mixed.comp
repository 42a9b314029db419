// Products of a mixed batch, in which each image's task has its own weights in the arena:
//
//   DOWN   y = ReLU(x wt + bias)           hidden rows of a branch: x [B T, D], w [r, D], y [B T, stride]
//   UP     y += s (x wt + bias)            the branch onto the tokens: x [B T, stride], w [D, r], y [B T, D]
//   UP APART  y = s (x wt + bias)          the same to memory of its own, where a norm follows; UP leaves those images alone
//   HEAD   y = x wt + bias                 logits: x [B, 2 D], w [classes, F], F = D or 2 D, y [B, stride]
//
// mix [B, columns] int32 says where an image's weights are (sdk/internal/backend/mixed.go), -1 that it has none: DOWN and
// UP leave it alone, as they do where its branches are elsewhere in the block, and HEAD gives zeros. With HALF the arena is float16.
// One thread computes ROWS x 4 outputs of one image; sums are float32 in increasing k.
// Reference: sdk/internal/ref/mixed.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 9) const bool WIDE = false; // D is a multiple of 4

#include "load.glsl"

layout(std430, set = 0, binding = 0) readonly buffer Mix { int mix[]; };
#if defined(HALF)
#include "arena.glsl"
// Elements at .. at+3, those from left on as zero, as LOAD4 has it.
vec4 parameters(uint at, uint left) {
    if (WIDE) return vec4(unpackHalf2x16(arena[at >> 1]), unpackHalf2x16(arena[(at >> 1) + 1u]));
    return vec4(left > 0u ? parameter(at) : 0.0, left > 1u ? parameter(at + 1u) : 0.0, left > 2u ? parameter(at + 2u) : 0.0,
        left > 3u ? parameter(at + 3u) : 0.0);
}
#else
VEC4S(1, arena);
vec4 parameters(uint at, uint left) { return LOAD4(arena, at, left); }
float parameter(uint i) { return LOAD4(arena, i & ~3u, 4u)[i & 3u]; }
#endif
VEC4S(2, x);
#if defined(UP) && !defined(APART)
layout(std430, set = 0, binding = 3) buffer Y { float y[]; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint B, T, D, columns, column, stride, quads, sequential; };

// Columns of mix.
const uint POOL = 0u, CLASSES = 4u, OPTIONS = 5u, SCALE = 6u;
const uint SEQUENTIAL = 1u, NORM_OUT = 4u; // bits of OPTIONS
const int POOL_CLS_MEAN = 2;

uint align(uint n) { return (n + 63u) & ~63u; }

void main() {
    uint id = flatIndex(), n0 = id % quads * 4u, tile = id / quads;
    uint tiles = (T + ROWS - 1u) / ROWS, image = tile / tiles, t0 = tile % tiles * ROWS;
    if (image >= B) return;
    uint at = image * columns;
    int offset = mix[at + column];
#if defined(DOWN)
    uint N = uint(mix[at + column + 1u]), K = D, ldx = D, ldy = stride, w = uint(offset), bias = w + align(N * K);
#elif defined(UP)
    uint N = D, K = uint(mix[at + column + 1u]), ldx = stride, ldy = D;
    uint w = uint(offset) + align(K * N) + align(K), bias = w + align(N * K);
#else
    uint N = uint(mix[at + CLASSES]), ldx = 2u * D, ldy = stride;
    uint K = mix[at + POOL] == POOL_CLS_MEAN ? 2u * D : D, w = uint(offset), bias = w + align(N * K);
    if (offset < 0) N = 0u;
    for (uint n = max(n0, N); n < min(n0 + 4u, stride); n++) y[image * ldy + n] = 0.0;
#endif
    if (offset < 0 || n0 >= N) return;
#if !defined(HEAD)
    uint options = uint(mix[at + OPTIONS]);
    if ((options & SEQUENTIAL) != sequential) return;
#endif
#if defined(APART)
    if ((options & NORM_OUT) == 0u) return;
#elif defined(UP)
    if ((options & NORM_OUT) != 0u) return;
#endif
    uint row = image * T;
    float acc[ROWS][4];
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = 0.0;
    for (uint k = 0; k < K; k += 4u) {
        vec4 b[4];
        [[unroll]] for (uint c = 0; c < 4; c++) b[c] = parameters(w + min(n0 + c, N - 1u) * K + k, K - k);
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            vec4 a = LOAD4(x, (row + min(t0 + i, T - 1u)) * ldx + k, K - k);
            [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = dot4(a, b[c], acc[i][c]);
        }
    }
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) {
        uint t = t0 + i, n = n0 + c;
        if (t >= T || n >= N) continue;
        float v = acc[i][c] + parameter(bias + n);
#if defined(DOWN)
        y[(row + t) * ldy + n] = max(v, 0.0);
#elif defined(APART)
        y[(row + t) * ldy + n] = intBitsToFloat(mix[at + SCALE]) * v;
#elif defined(UP)
        y[(row + t) * ldy + n] = fma(intBitsToFloat(mix[at + SCALE]), v, y[(row + t) * ldy + n]);
#else
        y[(row + t) * ldy + n] = v;
#endif
    }
}
