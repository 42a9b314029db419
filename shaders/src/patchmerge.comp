// The squares of 2 x 2 tokens of a grid, side by side in the order of Swin's patch merging, by column and then by row:
//
//   y[b, square] = x[0,0], x[1,0], x[0,1], x[1,1]; zeros where an odd side ends       SCATTER: the way back, x from y
//
// x [B rows columns, D]; y [B squares, 4 D]. One thread moves one element of y. The LayerNorm between is layernorm.comp.
// Reference: sdk/internal/ref/patchmerge.go.
#version 450
#extension GL_GOOGLE_include_directive : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

#if defined(SCATTER)
layout(std430, set = 0, binding = 0) readonly buffer Y { float y[]; };
layout(std430, set = 0, binding = 1) writeonly buffer X { float x[]; };
#else
layout(std430, set = 0, binding = 0) readonly buffer X { float x[]; };
layout(std430, set = 0, binding = 1) writeonly buffer Y { float y[]; };
#endif
layout(push_constant) uniform Push { uint B, rows, columns, D; };

#include "load.glsl"

void main() {
    uint id = flatIndex(), channel = id % D, part = id / D % 4u, square = id / (4u * D);
    uint down = (rows + 1u) / 2u, across = (columns + 1u) / 2u, image = square / (down * across);
    if (image >= B) return;
    uint r = square / across % down * 2u + part % 2u, c = square % across * 2u + part / 2u;
    bool inside = r < rows && c < columns;
    uint from = ((image * rows + r) * columns + c) * D + channel;
#if defined(SCATTER)
    if (inside) x[from] = y[id];
#else
    y[id] = inside ? x[from] : 0.0;
#endif
}
