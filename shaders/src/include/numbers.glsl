// What a thread of a kernel without tiles takes at a time: a number, or with TEXEL four adjacent ones, as one texel. Sizes are counted
// in these then, and are multiples of UNIT.

#if defined(TEXEL)
const uint UNIT = 4;
#define NUMBER vec4
#define NUMBERS(slot, name) layout(set = 0, binding = slot) uniform samplerBuffer name
#define READ(buf, i) texelFetch(buf, int(i))
#else
const uint UNIT = 1;
#define NUMBER float
#define NUMBERS(slot, name) layout(std430, set = 0, binding = slot) readonly buffer Numbers##slot { float name[]; }
#define READ(buf, i) buf[i]
#endif
