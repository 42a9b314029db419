// Reading vec4s of a buffer at any element, so that one kernel serves both wide and odd sizes.
//
// VEC4S declares such a buffer. With TEXEL it is a texel buffer: drivers that run on the CPU fetch texels several times
// faster than they load from storage buffers. Those variants serve only sizes that are WIDE.

#if defined(TEXEL)
#define VEC4S(slot, name) layout(set = 0, binding = slot) uniform samplerBuffer name
#define LOAD4(buf, at, left) texelFetch(buf, int((at) >> 2))
#else
#define VEC4S(slot, name) layout(std430, set = 0, binding = slot) readonly buffer Vec4s##slot { vec4 name[]; }

// Element i of a vec4 buffer.
#define ELEM(buf, i) (buf[(i) >> 2][(i) & 3u])

// Elements at .. at+3 of a vec4 buffer, those from left on as zero. WIDE, a specialisation constant, promises that at
// and left are multiples of 4 and left is not 0: one load.
#define LOAD4(buf, at, left) (WIDE ? buf[(at) >> 2] : vec4( \
    (left) > 0u ? ELEM(buf, (at)) : 0.0, (left) > 1u ? ELEM(buf, (at) + 1u) : 0.0, \
    (left) > 2u ? ELEM(buf, (at) + 2u) : 0.0, (left) > 3u ? ELEM(buf, (at) + 3u) : 0.0))
#endif

// Stores v to elements at .. at+3 of a vec4 buffer, save those from left on.
#if defined(TEXEL)
#define STORE4(buf, at, left, v) { buf[(at) >> 2] = (v); }
#else
#define STORE4(buf, at, left, v) { if (WIDE) buf[(at) >> 2] = (v); else \
    [[unroll]] for (uint e = 0; e < 4; e++) if (e < (left)) buf[((at) + e) >> 2][((at) + e) & 3u] = (v)[e]; }
#endif

// s + a . b in increasing index order, one rounding per step.
float dot4(vec4 a, vec4 b, float s) {
    s = fma(a.x, b.x, s);
    s = fma(a.y, b.y, s);
    s = fma(a.z, b.z, s);
    return fma(a.w, b.w, s);
}

// The flat index of this invocation; grids wider than 65535 groups are folded into y.
uint flatIndex() { return gl_GlobalInvocationID.x + gl_GlobalInvocationID.y * gl_NumWorkGroups.x * gl_WorkGroupSize.x; }
