// Sums and maxima over the LANES threads of a group that shares one row.

shared float partial[LANES];

// The sum of v over the group, by a fixed tree; every thread gets it. All threads of the group must call it.
float rowSum(float v) {
    uint lane = gl_LocalInvocationID.x;
    partial[lane] = v;
    barrier();
    for (uint step = LANES / 2u; step > 0u; step /= 2u) {
        if (lane < step) partial[lane] += partial[lane + step];
        barrier();
    }
    float sum = partial[0];
    barrier(); // nobody overwrites partial before all have read it
    return sum;
}

// The same for the maximum.
float rowMax(float v) {
    uint lane = gl_LocalInvocationID.x;
    partial[lane] = v;
    barrier();
    for (uint step = LANES / 2u; step > 0u; step /= 2u) {
        if (lane < step) partial[lane] = max(partial[lane], partial[lane + step]);
        barrier();
    }
    float top = partial[0];
    barrier();
    return top;
}

// The row of this group; grids wider than 65535 groups are folded into y.
uint rowIndex() { return gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x; }
