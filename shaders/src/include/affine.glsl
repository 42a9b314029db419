// Float layers with both operands contiguous in the summed axis, of which the one that a kernel is for is a macro:
//
//   affine      y = x wt + bias
//   RELU        y = ReLU(x wt + bias); DROPOUT: with masks by Philox2x32 (include/philox.glsl)
//   TOKENS      y = x wt + bias + pos for patches, y = prefix for the first P tokens of an image (see patchembed.comp)
//
// x [M, K]; w [N, K]; bias [N]; y [M, N]; key [1]; prefix [P, N]; pos [T - P, N], T tokens an image.

VEC4S(0, x);
VEC4S(1, w);
VEC4S(2, bias);
#if defined(DROPOUT)
layout(std430, set = 0, binding = 3) readonly buffer Key { uint key[]; };
layout(std430, set = 0, binding = 4) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint M, N, K, stream, dropBelow; float keepScale; };
#elif defined(TOKENS)
VEC4S(3, prefix);
VEC4S(4, pos);
layout(std430, set = 0, binding = 5) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint M, N, K, T, P; };
#else
layout(std430, set = 0, binding = 3) writeonly buffer Y { vec4 y[]; };
layout(push_constant) uniform Push { uint M, N, K; };
#endif

#include "philox.glsl"

// Stores the sums v of row m from column n on.
void finish(uint m, uint n, vec4 v) {
    uint at = m * N + n, left = N - n;
#if defined(RELU)
    v = max(v, vec4(0.0));
#endif
#if defined(DROPOUT)
    [[unroll]] for (uint c = 0; c < 4; c++) v[c] = philox(at + c, stream, key[0]) < dropBelow ? 0.0 : v[c] * keepScale;
#elif defined(TOKENS)
    uint t = m % T;
    if (t < P) v = LOAD4(prefix, t * N + n, left);
    else v += LOAD4(pos, (t - P) * N + n, left);
#endif
    STORE4(y, at, left, v)
}
