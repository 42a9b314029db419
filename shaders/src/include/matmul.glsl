// Float product with the second operand contiguous in the output axis:
//
//   matmul      c = base + a b                                BASE: base is added, c may be base itself
//   MASK        c = scale (a b) where h > 0, else 0           the gradient at AdaptMLP's hidden sums
//
// a [M, N]; b [N, K]; base, h, c [M, K].

VEC4S(0, a);
VEC4S(1, b);
#if defined(BASE)
layout(std430, set = 0, binding = 2) buffer C { vec4 c[]; };
#elif defined(MASK)
VEC4S(2, h);
layout(std430, set = 0, binding = 3) writeonly buffer C { vec4 c[]; };
#else
layout(std430, set = 0, binding = 2) writeonly buffer C { vec4 c[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K; float scale; };

// Stores the sums v of row m from column k on.
void finish(uint m, uint k, vec4 v) {
    uint at = m * K + k;
#if defined(BASE)
    v += READ4(c, at, K - k);
#elif defined(MASK)
    v = mix(vec4(0.0), scale * v, greaterThan(LOAD4(h, at, K - k), vec4(0.0)));
#endif
    STORE4(c, at, K - k, v)
}
