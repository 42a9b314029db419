// Activations or gradients to int8, as quantize.comp, for drivers that run shaders on the CPU. One thread has a block; a group has that
// of LANES rows, and fetches the columns' scales in turns (include/lanes.glsl). A short block is fetched once and kept.
// K is a multiple of 4. Reference: quant/activations.go, sdk/internal/ref/activations.go.
#version 450
#extension GL_EXT_control_flow_attributes : require
#extension GL_GOOGLE_include_directive : require
#extension GL_KHR_shader_subgroup_shuffle : require

layout(local_size_x_id = 0) in; // LANES
layout(constant_id = 7) const uint BLOCK = 0; // words of 16 columns that share a scale; 0 for all of a row
const bool WIDE = true;

#include "load.glsl"
#include "rounded.glsl"
#include "lanes.glsl"

VEC4S(0, x);
#if defined(GRADIENT)
#define Q8C
#include "weights.glsl"
#define Y_SLOT 2
layout(push_constant) uniform Push { uint M, K, wordsBefore; }; // words of w before its scales
#else
#define Y_SLOT 1
layout(push_constant) uniform Push { uint M, K; };
#endif
layout(std430, set = 0, binding = Y_SLOT) writeonly buffer Y { uvec4 y[]; };
layout(std430, set = 0, binding = Y_SLOT) writeonly buffer Scales { float scale[]; }; // the same

// Vectors of four columns that are scaled at a time: those of a word, or of a block that is kept.
const bool KEPT = BLOCK != 0u && BLOCK <= 4u;
const uint QUADS = KEPT ? 4u * BLOCK : 4u;

#define EACHQUAD [[unroll]] for (uint i = 0; i < QUADS; i++)

// Vectors quad .. quad + QUADS - 1 of a row, zeros behind the last column.
void fetch(uint row, uint quad, out vec4 v[QUADS]) {
    EACHQUAD v[i] = quad + i < K / 4u ? texelFetch(x, int(row * (K / 4u) + quad + i)) : vec4(0.0);
#if defined(GRADIENT)
    vec4 own[(QUADS + LANES - 1) / LANES];
    [[unroll]] for (uint j = 0; j < (QUADS + LANES - 1) / LANES; j++) own[j] = uintBitsToFloat(WORD(wordsBefore + quad + j * LANES + LANE));
    EACHQUAD v[i] *= vec4(FROMLANE(own[i / LANES].x, i % LANES), FROMLANE(own[i / LANES].y, i % LANES), FROMLANE(own[i / LANES].z, i % LANES), FROMLANE(own[i / LANES].w, i % LANES));
#endif
}

void main() {
    uint words = (K + 15u) / 16u, width = BLOCK == 0u ? words : BLOCK, blocks = (words + width - 1u) / width;
    uint group = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x, block = group % blocks, row = group / blocks * LANES + LANE;
    uint from = width * block, to = min(from + width, words), at = min(row, M - 1u);
    vec4 v[QUADS];
    float most = 0.0;
    for (uint w = from; w < to; w += QUADS / 4u) {
        fetch(at, 4u * w, v);
        EACHQUAD most = max(most, largest(abs(v[i])));
    }
    vec2 range = rangeOf(most);
    for (uint w = from; w < to; w += QUADS / 4u) {
        if (!KEPT) fetch(at, 4u * w, v);
        [[unroll]] for (uint i = 0; i < QUADS; i += 4) if (row < M && w + i / 4u < to)
            y[row * words + w + i / 4u] = uvec4(toInt8(v[i], range.y), toInt8(v[i + 1], range.y), toInt8(v[i + 2], range.y), toInt8(v[i + 3], range.y));
    }
    if (row < M) scale[roundedScale(M, words, block, row)] = range.x;
}
