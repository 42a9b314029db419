// Addressing of an attention within shifted windows of a grid of tokens: qkv [B T, 3 H d] holds q, k, v side by side, heads
// contiguous within each; o and its gradient [B T, H d]; lse and delta [B, H, T]; pad [3 H d] is such a row of qkv for
// places of padding; table [entries, H] the relative position bias. T = rows columns. Partition, cyclic shift and their
// reversal are arithmetic on places: see sdk/internal/window. One thread owns OWN successive places of one window and
// head, and keeps each vector of d channels in QUADS vec4.

layout(constant_id = 1) const uint QUADS = 8;      // ceil(d / 4)
layout(constant_id = 2) const uint OWN = 1;
layout(constant_id = 3) const bool PADDED = false; // some places hold no token
layout(constant_id = 4) const bool MASKED = false; // the grid is shifted
#if defined(GROUPED)
const bool WIDE = true;
#else
layout(constant_id = 9) const bool WIDE = false;   // d is a multiple of 4
#endif

// Sides in tokens; shift, window and table by row and column; with PAIRS what include/pairs.glsl says.
layout(push_constant) uniform Push {
    uint B, H, d;
    float scale;
    uint rows, columns, windowRows, windowColumns, shiftRows, shiftColumns, tableRows, tableColumns, padFirst;
#if defined(PAIRS)
    uint first, count, stride;
#endif
};

#include "load.glsl"
#include "qkv.glsl"

const uint NONE = 0xffffffffu;
const float MASK = -100.0;

uint windowsOf(uint n, uint w) { return (n + w - 1u) / w; }

// The token at a place of one padded and shifted axis, NONE for padding.
uint axisToken(uint place, uint n, uint w, uint shift) {
    uint t = place + shift, whole = padFirst != 0u ? windowsOf(n, w) * w : n;
    if (t >= whole) t -= whole;
    return (padFirst != 0u ? t : place) < n ? t : NONE;
}

// 0, 1 or 2: what was together before the shift.
uint axisRegion(uint place, uint n, uint w, uint shift) {
    uint whole = windowsOf(n, w) * w;
    return shift == 0u || place < whole - w ? 0u : place < whole - shift ? 1u : 2u;
}

// A place of a window: its token within the image, NONE for padding, its region, and where it lies in the window.
struct Place { uint token, region, y, x; };

Place placeAt(uint window, uint y, uint x) {
    uint across = windowsOf(columns, windowColumns);
    uint py = window / across * windowRows + y, px = window % across * windowColumns + x;
    Place p = Place(NONE, 0u, y, x);
    uint r = axisToken(py, rows, windowRows, shiftRows), c = axisToken(px, columns, windowColumns, shiftColumns);
    if (!PADDED || (r != NONE && c != NONE)) p.token = r * columns + c;
    if (MASKED) p.region = 3u * axisRegion(py, rows, windowRows, shiftRows) + axisRegion(px, columns, windowColumns, shiftColumns);
    return p;
}

uint placesOf() { return windowRows * windowColumns; }
uint windowsOfGrid() { return windowsOf(rows, windowRows) * windowsOf(columns, windowColumns); }

// What this thread owns: places from .. from + OWN - 1 of a window, of which those beyond the last repeat it. False where
// there is nothing left. With GROUPED all threads of a group have the same window and head, and so the same keys: AMD's
// scalar unit then loads these once a wave.
bool owned(out uint image, out uint window, out uint head, out uint from) {
#if defined(GROUPED)
    uint each = OWN * gl_WorkGroupSize.x, id = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    uint blocks = (placesOf() + each - 1u) / each;
    from = id % blocks * each + gl_LocalInvocationID.x * OWN;
#else
    uint blocks = (placesOf() + OWN - 1u) / OWN, id = flatIndex();
    from = id % blocks * OWN;
#endif
    head = id / blocks % H;
    window = id / (blocks * H) % windowsOfGrid();
    image = id / (blocks * H * windowsOfGrid());
    return image < B;
}

Place ownedPlace(uint window, uint place) {
    uint i = min(place, placesOf() - 1u);
    return placeAt(window, i / windowColumns, i % windowColumns);
}

#define EACHOWN [[unroll]] for (uint j = 0; j < OWN; j++)
#define EACHPLACE(y, x) for (uint y = 0; y < windowRows; y++) for (uint x = 0; x < windowColumns; x++)

uint tokens() { return rows * columns; }

// Element offset of q (part 0), k (1) or v (2) of a token's head, and of its head in o.
uint qkvAt(uint part, uint image, uint head, uint token) { return ((image * tokens() + token) * 3u + part) * H * d + head * d; }
uint headAt(uint image, uint head, uint token) { return (image * tokens() + token) * H * d + head * d; }

// The same as qkvAt in pad.
uint padAt(uint part, uint head) { return (part * H + head) * d; }

// What is added to the score of a query and a key.
#define BIAS(q, k) (table[((q.y + tableRows - 1u - k.y) * (2u * tableColumns - 1u) + q.x + tableColumns - 1u - k.x) * H + head] \
    + (MASKED && q.region != k.region ? MASK : 0.0))

#define LOADFROM(dst, buf, at) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = LOAD4(buf, from + 4u * i, d - 4u * i); }
#define LOADQKV(dst, at) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = QKV4(from + 4u * i, d - 4u * i); }

// Loads q, k or v of a place.
#define LOADPLACE(dst, part, place) \
    if (PADDED && place.token == NONE) LOADFROM(dst, pad, padAt(part, head)) \
    else LOADQKV(dst, qkvAt(part, image, head, place.token))

// Channels beyond d hold zeros and are not stored.
#define STOREHEAD(buf, at, src, factor) { uint from = (at); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) [[unroll]] for (uint c = 0; c < 4; c++) \
        if (4u * i + c < d) buf[from + 4u * i + c] = (factor) * src[i][c]; }

#define DOTHEAD(sum, a, b) { sum = 0.0; [[unroll]] for (uint i = 0; i < QUADS; i++) sum = dot4(a[i], b[i], sum); }

#define ADDHEAD(dst, factor, src) { vec4 by = vec4(factor); \
    [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = fma(by, src[i], dst[i]); }

#define ZEROHEAD(dst) [[unroll]] for (uint i = 0; i < QUADS; i++) dst[i] = vec4(0.0);
