// Sums of int8 activations and int4 weights for linear_lanes.comp. A product of integers takes as long as one of floats, but two
// rows fit into one: low + 65536 high, times a weight. Each half holds the sum of 32 products, for 127 * 8 * 32 < 2^15. Behind
// the last column weights are zeros, whatever is taken for x.

const uint PAIRS = ROWS / 2, OWNPAIRS = (PAIRS + LANES - 1) / LANES;

#define EACHPAIR [[unroll]] for (uint i = 0; i < PAIRS; i++)

// Number e of four int8.
int int8Of(uint four, uint e) { return int(four << (24u - 8u * e)) >> 24; }

// Number s of 16 int4, the half h of a word: eight of 32 bits, the first four in the low halves of the bytes.
int int4Of(uvec4 word, uint h, uint s) { return int(word[2 * h + s / 8] << (28 - 8 * (s % 4) - s / 4 % 2 * 4)) >> 28; }

// The sums of rows m0 .. m0 + ROWS - 1 with the columns of quads from quad on.
void sums(uint panels, uint words, uint quad, uint m0, out vec4 acc[ROWS][STRIP]) {
    uint steps = (K + 15u) / 16u, slot = quad / 16u * words * 64u + quad % 16u, at = 0, low[OWNPAIRS], high[OWNPAIRS];
    // Words of 16 columns of a word of weights that are taken at a time, and those that share all scales.
    uint halves = BLOCK % 2u == 0u ? 2u : 1u, grouped = GROUP * XWORDS, run = BLOCK == 0u || BLOCK % grouped == 0u ? grouped : grouped % BLOCK == 0u ? BLOCK : halves;
    float own[ROWS / LANES];
    OWNROWS(low, PAIRS, m0, M, steps)
    OWNROWS(high, PAIRS, m0 + PAIRS, M, steps)
    EACHROW acc[i][0] = vec4(0.0);
    do {
        uint end = min(at + run, steps);
        vec4 by = groupScales(panels, words, quad, at / XWORDS);
        ivec4 whole[ROWS];
        EACHROW whole[i] = ivec4(0);
        do {
            ivec4 pairs[PAIRS];
            uvec4 word[4];
            EACHPAIR pairs[i] = ivec4(0);
            EACHCOLUMN word[c] = WORD(slot + 16u * c + at / 2u * 64u);
            if (halves == 1u) EACHCOLUMN word[c] = at % 2u == 1u ? word[c].zwzw : word[c];
            [[unroll]] for (uint h = 0; h < halves; h++) {
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
            }
            EACHPAIR {
                whole[i] += pairs[i] << 16 >> 16;
                whole[i + PAIRS] += (pairs[i] + 0x8000) >> 16;
            }
            at += halves;
        } while (at < end);
        if (BLOCK != 0u) EACHOWN own[j] = rowScale(steps, (end - 1u) / BLOCK, m0, j);
        EACHROW {
            vec4 scale = BLOCK != 0u ? ROWSCALE(own, i) * by : by;
            acc[i][0] = fma(scale, vec4(whole[i]), acc[i][0]);
        }
    } while (at < steps);
    if (BLOCK == 0u) {
        EACHOWN own[j] = rowScale(steps, 0u, m0, j);
        EACHROW acc[i][0] *= ROWSCALE(own, i);
    }
}
