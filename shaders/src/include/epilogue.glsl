// What a frozen linear layer does with its sums, and the bindings of that. The epilogue is a macro, for it decides the
// bindings:
//
//   y = a | RESIDUAL: residual + a | GELU: GELU(a) | ADAPTER: residual + a + s (hidden upt + upBias)
//
// bias [N] at 2; residual, y [M, N]; hidden [M, R]; up [N, R]; upBias [N]. GELU_TRAIN is GELU that stores dgelu [M, N], the
// derivative at a, too. With ROUND y is stored as int8 in blocks of 64 columns (include/rounded.glsl); N is a multiple
// of 64. Y without any of them may be float16 (include/half.glsl). A kernel that includes this computes ROWS x 4 QUADS sums a thread, row i of them being m0 + i ROWSTEP; of the
// threads of a group, 16 / QUADS adjacent ones have a panel of 64 columns of the same rows.

#include "gelu.glsl"

#if defined(TEXEL)
VEC4S(2, bias);
#else
layout(std430, set = 0, binding = 2) readonly buffer Bias { float bias[]; };
#endif
#if defined(RESIDUAL)
VEC4S(3, residual);
#define Y_SLOT 4
#elif defined(GELU_TRAIN)
layout(std430, set = 0, binding = 4) writeonly buffer DGelu { vec4 dgelu[]; };
#define Y_SLOT 3
#elif defined(ADAPTER)
VEC4S(3, residual);
VEC4S(4, hidden);
VEC4S(5, up);
#if defined(TEXEL)
VEC4S(6, upBias);
#else
layout(std430, set = 0, binding = 6) readonly buffer UpBias { float upBias[]; };
#endif
#define Y_SLOT 7
#else
#define Y_SLOT 3
#endif
#if defined(ROUND)
layout(std430, set = 0, binding = Y_SLOT) writeonly buffer Y { uint y[]; };
#if defined(TEXEL)
layout(std430, set = 0, binding = Y_SLOT) writeonly buffer Pairs { uvec2 pairs[]; }; // the same
#endif
#else
layout(std430, set = 0, binding = Y_SLOT) writeonly buffer Y { vec4 y[]; };
#endif
#if !(defined(RESIDUAL) || defined(GELU) || defined(GELU_TRAIN) || defined(ADAPTER))
#define MAY_BE_HALF
#include "half.glsl"
layout(std430, set = 0, binding = Y_SLOT) writeonly buffer Halves { uvec2 halves[]; };
#endif
layout(push_constant) uniform Push { uint M, N, K, R; float adapterScale; };

#if defined(ROUND) && defined(TEXEL)
// The largest of all threads of a group, which are the lanes of a subgroup: a barrier costs drivers on the CPU more than all else
// here. Bits of numbers that are not negative are ordered as they are, and integers need no thought of NaN.
float largestOf(float top) {
    uint most = 0;
    [[unroll]] for (uint l = 0; l < LANES; l++) most = max(most, FROMLANE(floatBitsToUint(top), l));
    return uintBitsToFloat(most);
}
#elif defined(ROUND)
// The largest magnitude of each thread's columns.
shared float peak[ROWS * gl_WorkGroupSize.x];
#endif

// What is added to columns 4 quad .. 4 quad + 3, once they have their scales.
vec4 shiftOf(uint quad) {
#if defined(TEXEL)
    vec4 shift = LOAD4(bias, quad * 4u, 4u);
#if defined(ADAPTER)
    shift = fma(vec4(adapterScale), LOAD4(upBias, quad * 4u, 4u), shift);
#endif
#else
    vec4 shift;
    [[unroll]] for (uint c = 0; c < 4; c++) {
        uint n = min(quad * 4u + c, N - 1u);
        shift[c] = bias[n];
#if defined(ADAPTER)
        shift[c] = fma(adapterScale, upBias[n], shift[c]);
#endif
    }
#endif
    return shift;
}

// Columns n .. n+3 of row m from their sums a; stores the derivative.
vec4 activate(uint m, uint n, vec4 a) {
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
    return a;
}

#if defined(ROUND) && defined(TEXEL)
// Rounds and stores what has no more sums to come. A store is a loop over the lanes whatever they store, and so there are few:
// two quads go at a time, and the scales of as many rows as there are lanes.
void rounded(uint m0, uint quad, inout vec4 acc[ROWS][QUADS]) {
    float scale[ROWS / LANES];
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        uint m = m0 + i;
        vec4 top = vec4(0.0);
        [[unroll]] for (uint q = 0; q < QUADS; q++) {
#if defined(GELU_TRAIN)
            if (m < M)
#endif
                acc[i][q] = activate(m, (quad + q) * 4u, acc[i][q]);
            top = max(top, abs(acc[i][q]));
        }
        vec2 range = rangeOf(largestOf(largest(top)));
        scale[i / LANES] = i % LANES == 0u || LANE == i % LANES ? range.x : scale[i / LANES];
        if (m < M) [[unroll]] for (uint q = 0; q < QUADS; q += 2u)
            pairs[(m * (N / 4u) + quad + q) / 2u] = uvec2(toInt8(acc[i][q], range.y), toInt8(acc[i][q + 1], range.y));
    }
    [[unroll]] for (uint j = 0; j < ROWS / LANES; j++) {
        uint m = m0 + j * LANES + LANE;
        if (m < M) y[roundedScale(M, N / 16u, quad / 16u, m)] = floatBitsToUint(scale[j]);
    }
}
#endif

// Finishes and stores the sums of rows m0 + i ROWSTEP and of the column quads from quad on; they have scale and shift.
// All threads of a group must call it.
void epilogue(uint m0, uint quad, inout vec4 acc[ROWS][QUADS]) {
#if defined(ADAPTER) // further steps of the same sums
    for (uint k = 0; k < R; k += 4u) {
        vec4 b[QUADS][4];
        [[unroll]] for (uint q = 0; q < QUADS; q++) [[unroll]] for (uint c = 0; c < 4; c++)
            b[q][c] = LOAD4(up, min((quad + q) * 4u + c, N - 1u) * R + k, R - k);
        [[unroll]] for (uint i = 0; i < ROWS; i++) {
            vec4 a = adapterScale * LOAD4(hidden, min(m0 + i * ROWSTEP, M - 1u) * R + k, R - k);
            [[unroll]] for (uint q = 0; q < QUADS; q++)
                [[unroll]] for (uint c = 0; c < 4; c++) acc[i][q][c] = dot4(a, b[q][c], acc[i][q][c]);
        }
    }
#endif
#if defined(ROUND) && defined(TEXEL)
    rounded(m0, quad, acc);
#elif defined(ROUND)
    uint thread = gl_LocalInvocationID.x, team = thread & ~(16u / QUADS - 1u);
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        uint m = m0 + i * ROWSTEP;
        vec4 top = vec4(0.0);
        [[unroll]] for (uint q = 0; q < QUADS; q++) {
            if (m < M) acc[i][q] = activate(m, (quad + q) * 4u, acc[i][q]);
            top = max(top, abs(acc[i][q]));
        }
        peak[i * gl_WorkGroupSize.x + thread] = largest(top);
    }
    barrier();
    [[unroll]] for (uint i = 0; i < ROWS; i++) {
        uint m = m0 + i * ROWSTEP, at = m * (N / 4u) + quad;
        float top = 0.0;
        for (uint t = 0; t < 16u / QUADS; t++) top = max(top, peak[i * gl_WorkGroupSize.x + team + t]);
        vec2 range = rangeOf(top);
        if (at < M * (N / 4u)) { // not m < M, as above: NVIDIA would keep 8 conditions, one more than it has registers for
            [[unroll]] for (uint q = 0; q < QUADS; q++) y[at + q] = toInt8(acc[i][q], range.y);
            if (thread == team) y[roundedScale(M, N / 16u, quad / 16u, m)] = floatBitsToUint(range.x);
        }
    }
#else
    [[unroll]] for (uint i = 0; i < ROWS; i++) [[unroll]] for (uint q = 0; q < QUADS; q++) {
        uint m = m0 + i * ROWSTEP, n = (quad + q) * 4u;
        if (m < M && n < N) {
            vec4 v = activate(m, n, acc[i][q]);
#if defined(MAY_BE_HALF)
            if (HALF) halves[(m * N + n) >> 2] = halvesOf(v); else
#endif
            STORE4(y, m * N + n, N - n, v)
        }
    }
#endif
}
