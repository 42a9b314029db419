// Frozen weights [N, K] in panels (package quant, pack.go): [N/64][K/KPL][64 slots] of 128 bits, KPL numbers of one
// column each, N padded to 64 and K to KPL with zeros. Slot s of a panel holds column 4 (s mod 16) + s/16, so that a
// thread that reads slots t, t+16, t+32, t+48 owns the 4 adjacent columns 4t .. 4t+3. After the panels follow the
// column scales, float32, N padded to 64.

#if defined(Q8C)
const uint KPL = 16;
void widen(uvec4 w, out vec4 v[4]) {
    [[unroll]] for (uint i = 0; i < 4; i++) {
        int x = int(w[i]);
        v[i] = vec4(bitfieldExtract(x, 0, 8), bitfieldExtract(x, 8, 8), bitfieldExtract(x, 16, 8), x >> 24);
    }
}
#elif defined(F16)
const uint KPL = 8;
void widen(uvec4 w, out vec4 v[2]) {
    v[0] = vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y));
    v[1] = vec4(unpackHalf2x16(w.z), unpackHalf2x16(w.w));
}
#else // F32
const uint KPL = 4;
void widen(uvec4 w, out vec4 v[1]) { v[0] = uintBitsToFloat(w); }
#endif

// Quads of k in one 128-bit word.
const uint STEPS = KPL / 4;

layout(std430, set = 0, binding = 1) readonly buffer W { uvec4 w[]; };

// Scale of columns 4 quad .. 4 quad + 3.
vec4 scales(uint panels, uint groups, uint quad) { return uintBitsToFloat(w[panels * groups * 64u + quad]); }
