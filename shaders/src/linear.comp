// Frozen linear layer with its epilogue:
//
//   a = (x Wt) * scale + bias;   y = a | residual + a | GELU(a) | residual + a + s (hidden upt + upBias)
//
// x float32 [M, K]; W in panels with its scales (include/weights.glsl); bias [N]; residual, y [M, N]; dgelu [M, N], the
// derivative of GELU at a; hidden [M, R]; up [N, R]; upBias [N]. The epilogue is a macro, for it decides the bindings.
// One thread computes ROWS x 4 outputs and loads what it needs itself: no shared memory, no barrier, which is the best
// form on mobile GPUs and on drivers that run on the CPU. Sums are float32 in increasing k, whatever the tile.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const bool WIDE = false; // K is a multiple of KPL

layout(std430, set = 0, binding = 0) readonly buffer X { vec4 x[]; };
layout(std430, set = 0, binding = 2) readonly buffer Bias { float bias[]; };
#if defined(RESIDUAL)
layout(std430, set = 0, binding = 3) readonly buffer Residual { float residual[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Y { float y[]; };
#elif defined(GELU)
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
#elif defined(GELU_TRAIN)
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
layout(std430, set = 0, binding = 4) writeonly buffer DGelu { float dgelu[]; };
#elif defined(ADAPTER)
layout(std430, set = 0, binding = 3) readonly buffer Residual { float residual[]; };
layout(std430, set = 0, binding = 4) readonly buffer Hidden { float hidden[]; };
layout(std430, set = 0, binding = 5) readonly buffer Up { float up[]; };
layout(std430, set = 0, binding = 6) readonly buffer UpBias { float upBias[]; };
layout(std430, set = 0, binding = 7) writeonly buffer Y { float y[]; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K, R; float adapterScale; };

#include "load.glsl"
#include "weights.glsl"
#include "gelu.glsl"

void finish(uint m, uint n, float a) {
    uint at = m * N + n;
#if defined(RESIDUAL)
    y[at] = residual[at] + a;
#elif defined(GELU)
    y[at] = gelu(a);
#elif defined(GELU_TRAIN)
    y[at] = gelu(a);
    dgelu[at] = geluDerivative(a);
#elif defined(ADAPTER)
    float u = 0.0;
    for (uint j = 0; j < R; j++) u = fma(hidden[m * R + j], up[n * R + j], u);
    y[at] = residual[at] + a + adapterScale * (u + upBias[n]);
#else
    y[at] = a;
#endif
}

void main() {
    uint panels = (N + 63u) / 64u, groups = (K + KPL - 1u) / KPL, quads = panels * 16u;
    uint id = flatIndex(), quad = id % quads, m0 = id / quads * ROWS;
    if (m0 >= M) return;
    float acc[ROWS][4];
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = 0.0;
    uint slot = quad / 16u * groups * 64u + quad % 16u;
    for (uint g = 0; g < groups; g++, slot += 64u) {
        vec4 b[4][STEPS];
        [[unroll]] for (uint c = 0; c < 4; c++) widen(w[slot + 16u * c], b[c]);
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            uint row = min(m0 + i, M - 1u) * K;
            [[unroll]] for (uint s = 0; s < STEPS; s++) {
                uint k = g * KPL + 4u * s;
                vec4 a = LOAD4(x, row + k, K - min(k, K));
                [[unroll]] for (uint c = 0; c < 4; c++) acc[i][c] = dot4(a, b[c][s], acc[i][c]);
            }
        }
    }
    vec4 scale = scales(panels, groups, quad);
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint c = 0; c < 4; c++) {
        uint m = m0 + i, n = quad * 4u + c;
        if (m < M && n < N) finish(m, n, fma(acc[i][c], scale[c], bias[n]));
    }
}
