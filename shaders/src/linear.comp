// Frozen linear layer with its epilogue (include/epilogue.glsl):
//
//   a = (x Wt) * scale + bias
//
// x float32 [M, K]; W in panels with its scales (include/weights.glsl). One thread computes ROWS x 4 QUADS outputs and
// loads what it needs itself: no shared memory, no barrier, which is the best form on mobile GPUs. Sums are float32 in
// increasing k, whatever the tile. int4 weights get the scales of their groups as they are widened, which is exact: apart, the
// sums of groups would take twice the registers.
// Reference: sdk/internal/ref/linear.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;
layout(constant_id = 1) const uint ROWS = 4;
layout(constant_id = 2) const uint QUADS = 1;
layout(constant_id = 3) const bool QUARTERS = false; // words are loaded a step at a time: fewer registers
layout(constant_id = 9) const bool WIDE = false; // K is a multiple of KPL, N and R of 4
const uint ROWSTEP = 1;

#include "tiles.glsl"
#include "weights.glsl"

// The place in the first row is what is counted, the other rows' are differences to it: one addition less, which on Mali is
// one in 19 instructions beside products and loads. NVIDIA adds a counter within the load, but only a uniform one.
const bool FROM_FIRST = UNIT != 1u && QUADS == 1u;

VEC4S(0, x);
#include "epilogue.glsl"

void main() {
    uint panels = (N + 63u) / 64u, words = (K + KPL - 1u) / KPL, tiles = panels * 16u / QUADS;
    if (groupIndex() >= tiles * ((M + ROWS - 1u) / ROWS)) return;
    uint id = flatIndex(), quad = id % tiles * QUADS, m0 = id / tiles * ROWS;
    vec4 acc[ROWS][QUADS];
    EACHROW EACHQUAD acc[i][q] = vec4(0.0);
    uint from[ROWS], slot = quad / 16u * words * 64u + quad % 16u, g = 0;
    FROM(from, ROWS, m0, M, K / UNIT)
    uint at = FROM_FIRST ? from[0] : 0u, end = at + K / UNIT;
    EACHROW from[i] -= at;
    do {
        vec4 by[QUADS];
        EACHQUAD by[q] = groupScales(panels, words, quad + q, g);
        if (QUARTERS) [[dont_unroll]] for (uint s = 0; s < STEPS; s++) {
            uint k = at + s * STRIDE;
            vec4 a[ROWS];
            EACHROW a[i] = LOADAT(x, from[i] + k, K - min(k, K));
            EACHQUAD EACHCOLUMN {
                vec4 b = by[q][c] * WIDENED(slot + q + 16u * c, s);
                EACHROW acc[i][q][c] = dot4(a[i], b, acc[i][q][c]);
            }
        } else {
            uvec4 word[QUADS][4];
            EACHQUAD EACHCOLUMN word[q][c] = WORD(slot + q + 16u * c);
            [[unroll]] for (uint s = 0; s < STEPS; s++) {
                uint k = at + s * STRIDE;
                vec4 b[QUADS][4]; // one step at a time: few registers
                EACHQUAD EACHCOLUMN b[q][c] = by[q][c] * widen(word[q][c], s);
                EACHROW {
                    vec4 a = LOADAT(x, from[i] + k, K - min(k, K));
                    EACHQUAD EACHCOLUMN acc[i][q][c] = dot4(a, b[q][c], acc[i][q][c]);
                }
            }
        }
        g++;
        slot += 64u;
        at += KPL / UNIT;
    } while (at < end);
    EACHQUAD {
        vec4 scale = scales(panels, words, quad + q), shift = shiftOf(quad + q);
        EACHROW acc[i][q] = fma(acc[i][q], scale, shift);
    }
    epilogue(m0, quad, acc);
}
