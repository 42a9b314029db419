// Scores of an attention, and the gradient at them, as matrices in memory (include/pairs.glsl):
//
//   SCORES   s = scale q kt                   attention_softmax.comp adds what windows add
//   GRAD     ds = p * (do vt - delta)
//
// One thread computes 4 queries x 4 keys. float32, sums in increasing channels. Reference: sdk/internal/ref/attention.go, window.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#if defined(SCORES)
#define FORWARD
#endif
#include "pairs.glsl"

QKV(0);
#if defined(GRAD)
VEC4S(1, dout);
layout(std430, set = 0, binding = 2) readonly buffer Delta { float delta[]; };
layout(std430, set = 0, binding = 3) readonly buffer P { vec4 p[]; };
layout(std430, set = 0, binding = 4) writeonly buffer DS { vec4 ds[]; };
#if defined(WINDOWS)
VEC4S(5, pad);
#endif
#else
layout(std430, set = 0, binding = 1) writeonly buffer S { vec4 s[]; };
#if defined(WINDOWS)
VEC4S(2, pad);
#endif
#endif

void main() {
    uint L = sizeOf(), quads = stride / 4u, id = flatIndex(), u0 = id % quads * 4u, blocks = (L + 3u) / 4u;
    uint t0 = id / quads % blocks * 4u, i0 = id / (quads * blocks);
    if (i0 >= count) return;
    Pair pair = pairAt(i0);
    uint query[4], key[4];
    vec4 sum[4];
    EACH4(i) {
#if defined(GRAD)
        query[i] = outAt(pair, t0 + i);
        key[i] = vectorAt(2u, pair, u0 + i);
#else
        query[i] = vectorAt(0u, pair, t0 + i);
        key[i] = vectorAt(1u, pair, u0 + i);
#endif
        sum[i] = vec4(0.0);
    }
    for (uint c = 0; c < d; c += 4u) {
        vec4 k[4];
        EACH4(j) k[j] = VECTOR(key[j], c);
        EACH4(i) {
#if defined(GRAD)
            vec4 q = LOAD4(dout, query[i] + c, d - c);
#else
            vec4 q = VECTOR(query[i], c);
#endif
            EACH4(j) sum[i][j] = dot4(q, k[j], sum[i][j]);
        }
    }
    EACH4(i) {
        uint t = t0 + i, at = ((i0 * L + t) * stride + u0) / 4u;
        if (t >= L) break;
#if defined(GRAD)
        ds[at] = p[at] * (sum[i] - delta[numberAt(pair, t)]);
#else
        s[at] = sum[i] * scale;
#endif
    }
}
