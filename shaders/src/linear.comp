// Frozen linear layer with its epilogue:
//
//   a = (x Wt) * scale + bias;   y = a | residual + a | GELU(a) | residual + a + s (hidden upt + upBias)
//
// x float32 [M, K]; W in panels with its scales (include/weights.glsl); bias [N]; residual, y [M, N]; dgelu [M, N], the
// derivative of GELU at a; hidden [M, R]; up [N, R]; upBias [N]. The epilogue is a macro, for it decides the bindings.
// One thread computes ROWS x 4 QUADS outputs and loads what it needs itself: no shared memory, no barrier, which is the
// best form on mobile GPUs and on drivers that run on the CPU. Sums are float32 in increasing k, whatever the tile.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 9) const bool WIDE = false; // K is a multiple of KPL, N and R of 4

#include "load.glsl"
#include "weights.glsl"
#include "gelu.glsl"

VEC4S(0, x);
layout(std430, set = 0, binding = 2) readonly buffer Bias { float bias[]; };
#if defined(RESIDUAL)
VEC4S(3, residual);
layout(std430, set = 0, binding = 4) writeonly buffer Y { vec4 y[]; };
#elif defined(GELU_TRAIN)
layout(std430, set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };
layout(std430, set = 0, binding = 4) writeonly buffer DGelu { vec4 dgelu[]; };
#elif defined(ADAPTER)
VEC4S(3, residual);
VEC4S(4, hidden);
VEC4S(5, up);
layout(std430, set = 0, binding = 6) readonly buffer UpBias { float upBias[]; };
layout(std430, set = 0, binding = 7) writeonly buffer Y { vec4 y[]; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K, R; float adapterScale; };

// Columns n .. n+3 of row m from their sums a.
void finish(uint m, uint n, vec4 a) {
    uint at = m * N + n, left = N - n;
#if defined(RESIDUAL) || defined(ADAPTER)
    a += LOAD4(residual, at, left);
#elif defined(GELU) || defined(GELU_TRAIN)
    vec4 derivative;
    gelu(a, a, derivative);
#endif
#if defined(GELU_TRAIN)
    STORE4(dgelu, at, left, derivative)
#endif
    STORE4(y, at, left, a)
}

void main() {
    uint panels = (N + 63u) / 64u, groups = (K + KPL - 1u) / KPL, tiles = panels * 16u / QUADS;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    if (m0 >= M) return;
    vec4 acc[ROWS][QUADS];
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint q = 0; q < QUADS; q++) acc[i][q] = vec4(0.0);
    uint slot = quad / 16u * groups * 64u + quad % 16u;
    for (uint g = 0; g < groups; g++, slot += 64u) {
        uvec4 word[QUADS][4];
        [[unroll]] for (uint q = 0; q < QUADS; q++) [[unroll]] for (uint c = 0; c < 4; c++) word[q][c] = WORD(slot + q + 16u * c);
        [[unroll]] for (uint s = 0; s < STEPS; s++) {
            uint k = g * KPL + 4u * s;
            vec4 b[QUADS][4]; // one step at a time: few registers
            [[unroll]] for (uint q = 0; q < QUADS; q++) [[unroll]] for (uint c = 0; c < 4; c++) b[q][c] = widen(word[q][c], s);
            [[unroll]] for (uint i = 0; i < ROWS; i++) {
                vec4 a = LOAD4(x, min(m0 + i, M - 1u) * K + k, K - min(k, K));
                [[unroll]] for (uint q = 0; q < QUADS; q++)
                    [[unroll]] for (uint c = 0; c < 4; c++) acc[i][q][c] = dot4(a, b[q][c], acc[i][q][c]);
            }
        }
    }
    [[unroll]] for (uint q = 0; q < QUADS; q++) {
        vec4 scale = scales(panels, groups, quad + q), shift;
        [[unroll]] for (uint c = 0; c < 4; c++) {
            uint n = min((quad + q) * 4u + c, N - 1u);
            shift[c] = bias[n];
#if defined(ADAPTER)
            shift[c] = fma(adapterScale, upBias[n], shift[c]);
#endif
        }
        [[unroll]] for (uint i = 0; i < ROWS; i++) acc[i][q] = fma(acc[i][q], scale, shift);
    }
#if defined(ADAPTER) // further steps of the same sums
    for (uint k = 0; k < R; k += 4u) {
        vec4 b[QUADS][4];
        [[unroll]] for (uint q = 0; q < QUADS; q++) [[unroll]] for (uint c = 0; c < 4; c++)
            b[q][c] = LOAD4(up, min((quad + q) * 4u + c, N - 1u) * R + k, R - k);
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            vec4 a = adapterScale * LOAD4(hidden, min(m0 + i, M - 1u) * R + k, R - k);
            [[unroll]] for (uint q = 0; q < QUADS; q++)
                [[unroll]] for (uint c = 0; c < 4; c++) acc[i][q][c] = dot4(a, b[q][c], acc[i][q][c]);
        }
    }
#endif
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint q = 0; q < QUADS; q++) {
        uint m = m0 + i, n = (quad + q) * 4u;
        if (m < M && n < N) finish(m, n, acc[i][q]);
    }
}
