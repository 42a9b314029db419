// Sums of int8 activations and weights of integers for linear_lanes.comp. A product of integers takes as long as one of floats,
// but two rows fit into one: low + 65536 high, times a weight. Each half holds the sum of HOLD products, for 127 * 127 * 2 and
// 127 * 8 * 32 stay below 2^15, and LIFT, which every such sum starts from, keeps the low one from borrowing of the high one. Then
// it goes into two sums of 32 bits, of the high halves and of everything modulo 2^32; at the end the low rows are what the first
// leaves of the second. Behind the last column weights are zeros, whatever is taken for x.

const uint PAIRS = ROWS / 2, OWNPAIRS = (PAIRS + LANES - 1) / LANES;
const int LIFT = 0x8000;

#define EACHPAIR [[unroll]] for (uint i = 0; i < PAIRS; i++)
#define EACHNUMBER [[unroll]] for (uint s = 0; s < 16; s++)

// Number e of four int8.
int int8Of(uint four, uint e) { return int(four << (24u - 8u * e)) >> 24; }

#if defined(Q4G)
const uint HOLD = 32;
#else
const uint HOLD = 2;
#endif

// Words of 16 columns of a word of weights that are taken at a time, and products of them between two flushes.
const uint TURN = BLOCK % XWORDS == 0u ? XWORDS : 1u, FLUSH = HOLD < 16u * TURN ? HOLD : 16u * TURN;

// Words of 16 columns that share all scales.
uint runOf(uint steps) {
    if (GROUP == 0u) return BLOCK == 0u ? steps : BLOCK;
    uint grouped = GROUP * XWORDS;
    return BLOCK == 0u || BLOCK % grouped == 0u ? grouped : grouped % BLOCK == 0u ? BLOCK : TURN;
}

// The sums of rows m0 .. m0 + ROWS - 1 over steps words of 16, of which WEIGHTS fetches the half h of word at / XWORDS for four columns.
void sums(uint panels, uint words, uint steps, uint quad, uint m0, out vec4 acc[ROWS][STRIP]) {
    uint at = 0, low[OWNPAIRS], high[OWNPAIRS];
    uint run = runOf(steps);
    float own[ROWS / LANES];
    OWNROWS(low, PAIRS, m0, M, steps)
    OWNROWS(high, PAIRS, m0 + PAIRS, M, steps)
    EACHROW acc[i][0] = vec4(0.0);
    do { // loops ask at their ends: an ask at the start runs the body once more with all lanes off
        uint end = min(at + run, steps);
        vec4 by = groupScales(panels, words, quad, at / XWORDS);
        ivec4 all[PAIRS], tops[PAIRS];
        int halves = LIFT * int((end - at + TURN - 1u) / TURN * (16u * TURN / FLUSH));
        EACHPAIR {
            all[i] = ivec4(-halves);
            tops[i] = ivec4(0);
        }
        do {
            ivec4 part[PAIRS];
            EACHPAIR part[i] = ivec4(LIFT);
            [[unroll]] for (uint h = 0; h < TURN; h++) {
                int a[OWNPAIRS][16], b[4][16];
                [[unroll]] for (uint j = 0; j < OWNPAIRS; j++) {
                    uvec4 x0 = XWORD(low[j] + at + h), x1 = XWORD(high[j] + at + h);
                    EACHNUMBER a[j][s] = int8Of(x0[s / 4], s % 4) + (int8Of(x1[s / 4], s % 4) << 16);
                }
                WEIGHTS(b)
                EACHPAIR EACHNUMBER {
                    int v = FROMLANE(a[i / LANES][s], i % LANES);
                    EACHCOLUMN part[i][c] += v * b[c][s];
                    if ((16 * h + s + 1) % FLUSH == 0) {
                        all[i] += part[i];
                        tops[i] += part[i] >> 16;
                        part[i] = ivec4(LIFT);
                    }
                }
            }
            at += TURN;
        } while (at < end);
        if (BLOCK != 0u) EACHOWN own[j] = rowScale(steps, (end - 1u) / BLOCK, m0, j);
        EACHROW {
            vec4 scale = BLOCK != 0u ? ROWSCALE(own, i) * by : by;
            acc[i][0] = fma(scale, vec4(i < PAIRS ? all[i] - (tops[i] << 16) : tops[i - PAIRS]), acc[i][0]);
        }
    } while (at < steps);
    if (BLOCK == 0u) {
        EACHOWN own[j] = rowScale(steps, 0u, m0, j);
        EACHROW acc[i][0] *= ROWSCALE(own, i);
    }
}
