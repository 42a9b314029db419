// Products of attention's matrices in memory (include/pairs.glsl) with the tokens' vectors:
//
//   VALUES   o = p v                          DQ   dq = scale ds k
//   DK       dk = scale dst q                 DV   dv = pt do
//
// One thread computes 4 tokens x 4 channels; float32, sums in increasing tokens. Reference: sdk/internal/ref/attention.go, window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#if defined(VALUES)
#define FORWARD
#endif
#include "pairs.glsl"

VEC4S(0, m);
#if defined(DV)
VEC4S(1, dout);
#else
QKV(1);
#endif
layout(std430, set = 0, binding = 2) writeonly buffer Y { float y[]; };
#if defined(WINDOWS) && !defined(DV)
VEC4S(3, pad);
#endif

// The vector that weighs matrix row or column i.
#if defined(VALUES)
#define OPERAND(i) VECTOR(vectorAt(2u, p, i), c0)
#elif defined(DQ)
#define OPERAND(i) VECTOR(vectorAt(1u, p, i), c0)
#elif defined(DK)
#define OPERAND(i) VECTOR(vectorAt(0u, p, i), c0)
#else
#define OPERAND(i) LOAD4(dout, outAt(p, i) + c0, d - c0)
#endif

void main() {
    uint L = sizeOf(), quads = (d + 3u) / 4u, id = flatIndex(), c0 = id % quads * 4u, blocks = (L + 3u) / 4u;
    uint t0 = id / quads % blocks * 4u, i0 = id / (quads * blocks), from = i0 * L * stride;
    if (i0 >= count) return;
    Pair p = pairAt(i0);
    vec4 sum[4];
    EACH4(i) sum[i] = vec4(0.0);
#if defined(DK) || defined(DV)
    if (!WIDE) for (uint u = 0; u < L; u++) { // V3D spills two registers with four vectors of any size
        vec4 a = m[(from + u * stride + t0) / 4u], b = OPERAND(u);
        EACH4(j) sum[j] = fma(vec4(a[j]), b, sum[j]);
    } else
#endif
    for (uint u = 0; u < L; u += 4u) { // behind L there are zeros in rows, and nothing in columns
        vec4 b[4];
        EACH4(j) b[j] = OPERAND(u + j);
        EACH4(i) {
#if defined(DK) || defined(DV)
            vec4 a = u + i < L ? m[(from + (u + i) * stride + t0) / 4u] : vec4(0.0);
            EACH4(j) sum[j] = fma(vec4(a[j]), b[i], sum[j]);
#else
            vec4 a = m[(from + min(t0 + i, L - 1u) * stride + u) / 4u];
            EACH4(j) sum[i] = fma(vec4(a[j]), b[j], sum[i]);
#endif
        }
    }
    EACH4(i) if (kept(p, t0 + i)) {
#if defined(VALUES)
        uint to = outAt(p, t0 + i);
#elif defined(DQ)
        uint to = vectorAt(0u, p, t0 + i);
#elif defined(DK)
        uint to = vectorAt(1u, p, t0 + i);
#else
        uint to = vectorAt(2u, p, t0 + i);
#endif
#if defined(DQ) || defined(DK)
        sum[i] *= scale;
#endif
        EACH4(c) if (c0 + c < d) y[to + c0 + c] = sum[i][c];
    }
}
