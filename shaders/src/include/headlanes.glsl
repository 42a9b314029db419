// Fused attention on drivers that run shaders on the CPU: a group has one head, a thread OWN successive tokens of it. The tokens they
// meet are fetched by LANES threads, each those of another one, and handed round by shuffles (lanes.glsl). Layouts: heads.glsl.

layout(constant_id = 1) const uint QUADS = 16; // d / 4: vec4 of a token
layout(constant_id = 2) const uint OWN = 1;

#include "heads.glsl"
#include "lanes.glsl"

#define EACHOWN [[unroll]] for (uint j = 0; j < OWN; j++)
#define EACHQUAD [[unroll]] for (uint i = 0; i < QUADS; i++)
#define EACHLANE [[unroll]] for (uint l = 0; l < LANES; l++)
#define EACHPAIR [[unroll]] for (uint z = 0; z < 2; z++) // two at a time: sums that do not wait for one another

// The head of this group, and the first token of this thread. False where the grid is larger than there is work: all threads must
// reach the shuffles, so that the head is then another one, of which nothing may be stored.
bool owned(out uint image, out uint head, out uint first) {
    uint most = LANES * OWN, blocks = (T + most - 1u) / most, group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    first = group % blocks * most + gl_LocalInvocationID.x * OWN;
    head = group / blocks % H;
    image = min(group / (blocks * H), B - 1u);
    return group < blocks * H * B;
}

// s[j][l] = the product of own vector a[j] and lane l's x, channels in increasing order.
#define DOTLANES(s, a, x) { \
    EACHOWN EACHLANE s[j][l] = 0.0; \
    [[unroll]] for (uint h = 0; h < LANES / 2u; h++) EACHQUAD [[unroll]] for (uint c = 0; c < 4; c++) EACHPAIR { \
        uint l = 2 * h + z; \
        float v = FROMLANE(x[i][c], l); \
        EACHOWN s[j][l] = fma(a[j][i][c], v, s[j][l]); \
    } }

// sum[j] += the lanes' x, lane l's weighed by weight[j][l], lanes in increasing order.
#define ADDLANES(sum, weight, x) \
    EACHQUAD [[unroll]] for (uint h = 0; h < 2; h++) EACHLANE EACHPAIR { \
        uint c = 2 * h + z; \
        float v = FROMLANE(x[i][c], l); \
        EACHOWN sum[j][i][c] = fma(weight[j][l], v, sum[j][i][c]); \
    }

// A token's vec4 from element at of a buffer on.
#define LOADHEAD(dst, buf, at) { uint from = (at); EACHQUAD dst[i] = LOAD4(buf, from + 4u * i, 4u); }
#define STOREHEAD(buf, at, src, factor) { uint from = (at); EACHQUAD STORE4(buf, from + 4u * i, 4u, (factor) * src[i]) }
