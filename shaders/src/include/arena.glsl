// The arena of a mixed batch at binding 1, one element at a time: float32, or with HALF float16, two to a word.

#if defined(HALF)
layout(std430, set = 0, binding = 1) readonly buffer Arena { uint arena[]; };
float parameter(uint i) { return unpackHalf2x16(arena[i >> 1])[i & 1u]; }
#else
layout(std430, set = 0, binding = 1) readonly buffer Arena { float arena[]; };
float parameter(uint i) { return arena[i]; }
#endif
