// Sums and maxima over the LANES threads of a group that shares one row. All threads of the group must call them, and each gets
// the result. SUBGROUP: by operations of subgroups, of whatever size, and shared memory only between those of one group; which
// threads are in a subgroup does not matter. Otherwise by a fixed tree in shared memory.
#if defined(SUBGROUP)
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif

shared float partial[LANES];

#if defined(SUBGROUP)
#define ROWWISE(name, subgroupOf, both) \
float name(float v) { \
    v = subgroupOf(v); \
    if (gl_NumSubgroups == 1u) return v; \
    if (subgroupElect()) partial[gl_SubgroupID] = v; \
    barrier(); \
    float all = partial[0]; \
    for (uint s = 1; s < gl_NumSubgroups; s++) all = both(all, partial[s]); \
    barrier(); /* nobody overwrites partial before all have read it */ \
    return all; \
}
#else
#define ROWWISE(name, subgroupOf, both) \
float name(float v) { \
    uint lane = gl_LocalInvocationID.x; \
    partial[lane] = v; \
    barrier(); \
    for (uint step = LANES / 2u; step > 0u; step /= 2u) { \
        if (lane < step) partial[lane] = both(partial[lane], partial[lane + step]); \
        barrier(); \
    } \
    float all = partial[0]; \
    barrier(); /* nobody overwrites partial before all have read it */ \
    return all; \
}
#endif
float plus(float a, float b) { return a + b; }
ROWWISE(rowSum, subgroupAdd, plus)
ROWWISE(rowMax, subgroupMax, max)

// The row of this group; grids wider than 65535 groups are folded into y.
uint rowIndex() { return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x; }
