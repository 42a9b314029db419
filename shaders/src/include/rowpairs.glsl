// Sums of int8 activations and int4 weights for linear_lanes.comp. A product of integers takes as long as one of floats, but two
// rows fit into one: low + 65536 high, times a weight. Each half holds the sum of 32 products, for 127 * 8 * 32 < 2^15. With BLOCK
// odd a word of 32 weights spans two blocks of x.

const uint PAIRS = ROWS / 2, OWNPAIRS = (PAIRS + LANES - 1) / LANES;

#define EACHPAIR [[unroll]] for (uint i = 0; i < PAIRS; i++)

// Number e of four int8.
int int8Of(uint four, uint e) { return int(four << (24u - 8u * e)) >> 24; }

// Number s of 16 int4, the half h of a word: eight of 32 bits, the first four in the low halves of the bytes.
int int4Of(uvec4 word, uint h, uint s) { return int(word[2 * h + s / 8] << (28 - 8 * (s % 4) - s / 4 % 2 * 4)) >> 28; }

// Whether a run of integers, which share all scales, ends with word at of x.
bool ends(uint at, uint steps) {
    return BLOCK != 0u && (at + 1u) % BLOCK == 0u || (at + 1u) % (GROUP * XWORDS) == 0u || at + 1u == steps;
}

// The sums of rows m0 .. m0 + ROWS - 1 with the columns of quads from quad on.
void sums(uint panels, uint words, uint quad, uint m0, out vec4 acc[ROWS][STRIP]) {
    uint steps = (K + 15u) / 16u, slot = quad / 16u * words * 64u + quad % 16u, low[OWNPAIRS], high[OWNPAIRS];
    ivec4 pairs[PAIRS], run[ROWS];
    OWNROWS(low, PAIRS, m0, M, steps)
    OWNROWS(high, PAIRS, m0 + PAIRS, M, steps)
    EACHPAIR pairs[i] = ivec4(0);
    EACHROW { run[i] = ivec4(0); acc[i][0] = vec4(0.0); }
    for (uint at = 0; m0 < M && at < steps; at += 2u) {
        uvec4 word[4];
        EACHCOLUMN word[c] = WORD(slot + 16u * c + at / 2u * 64u);
        [[unroll]] for (uint h = 0; h < 2; h++) {
            int a[OWNPAIRS][16], b[4][16];
            [[unroll]] for (uint j = 0; j < OWNPAIRS; j++) {
                uvec4 x0 = XWORD(low[j] + at + h), x1 = XWORD(high[j] + at + h);
                [[unroll]] for (uint s = 0; s < 16; s++) a[j][s] = int8Of(x0[s / 4], s % 4) + (int8Of(x1[s / 4], s % 4) << 16);
            }
            EACHCOLUMN [[unroll]] for (uint s = 0; s < 16; s++) b[c][s] = int4Of(word[c], h, s);
            EACHPAIR [[unroll]] for (uint s = 0; s < 16; s++) {
                int v = FROMLANE(a[i / LANES][s], i % LANES);
                EACHCOLUMN pairs[i][c] += v * b[c][s];
            }
            if (h == 1 || BLOCK % 2u == 1u) {
                EACHPAIR {
                    run[i] += pairs[i] << 16 >> 16;
                    run[i + PAIRS] += (pairs[i] + 0x8000) >> 16;
                    pairs[i] = ivec4(0);
                }
                if (ends(at + h, steps) || at + 2u >= steps && h == 1) {
                    vec4 by = groupScales(panels, words, quad, at / 2u);
                    EACHROWS {
                        vec4 scale = BLOCK != 0u ? rowScales(steps, min(at + h, steps - 1u) / BLOCK, m0, j) : vec4(1.0);
                        [[unroll]] for (uint e = 0; e < 4; e++) {
                            acc[4u * j + e][0] = fma(scale[e] * by, vec4(run[4u * j + e]), acc[4u * j + e][0]);
                            run[4u * j + e] = ivec4(0);
                        }
                    }
                }
            }
        }
    }
    if (BLOCK == 0u) EACHROWS {
        vec4 scale = rowScales(steps, 0u, m0, j);
        [[unroll]] for (uint e = 0; e < 4; e++) acc[4u * j + e][0] *= scale[e];
    }
}
