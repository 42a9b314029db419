// Threads of a subgroup that fetch in turns what all of them need: thread l fetches row l, l + LANES and so on, and the others get
// it by shuffles. On drivers that run shaders on the CPU a fetch is a call of some 50 instructions, a shuffle from a lane known
// beforehand one or two. The host sets LANES, which is a group, to 8 or the size of subgroups where that is less.

layout(constant_id = 5) const uint LANES = 4;

#define LANE (gl_SubgroupInvocationID % LANES)
#define FROMLANE(v, lane) subgroupShuffle(v, lane)

// Where those of count rows from first on that this thread fetches begin, those beyond the last of rows as the last.
#define OWNROWS(from, count, first, rows, row) \
    [[unroll]] for (uint j = 0; j < ((count) + LANES - 1) / LANES; j++) from[j] = min((first) + j * LANES + LANE, (rows) - 1u) * (row);
