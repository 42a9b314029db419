// One thread has a query (or a key) of its own and meets all keys (queries) of its head, STEP at a time. Those are the
// same for the whole group, and their addresses come from the group's index alone: AMD's scalar unit loads them once a
// wave and multiplies from there, others broadcast. What is a thread's own and only read lies in shared memory, which
// serves as a second register file: no thread reads another's part, so there is no barrier.
//
// d is 4 QUADS here, and buffers are addressed in vec4: rows of qkv and o as in heads.glsl.

layout(constant_id = 1) const uint QUADS = 16;

layout(push_constant) uniform Push { uint B, T, H, d; float scale; };

layout(constant_id = 2) const uint STEP = 4;

shared vec4 kept[QUADS * WORKGROUP]; // [QUADS][WORKGROUP]

#define EACHQUAD [[unroll]] for (uint i = 0; i < QUADS; i++)
#define EACHSTEP [[unroll]] for (uint j = 0; j < STEP; j++)

// The thread's vector as it was kept.
#define KEPT(i) kept[(i) * WORKGROUP + gl_LocalInvocationID.x]

float dot4(vec4 a, vec4 b, float s) {
    s = fma(a.x, b.x, s);
    s = fma(a.y, b.y, s);
    s = fma(a.z, b.z, s);
    return fma(a.w, b.w, s);
}

// The head of this group, and the token of this thread, which may lie beyond the last. False where the grid is larger
// than there is work.
bool owned(out uint image, out uint head, out uint t) {
    uint blocks = (T + WORKGROUP - 1u) / WORKGROUP, id = gl_WorkGroupID.x + gl_WorkGroupID.y * gl_NumWorkGroups.x;
    t = id % blocks * WORKGROUP + gl_LocalInvocationID.x;
    head = id / blocks % H;
    image = id / (blocks * H);
    return image < B;
}

// Offsets of q (part 0), k (1) or v (2) of a token, and of its head in o.
uint qkvAt(uint part, uint image, uint head, uint token) { return (((image * T + token) * 3u + part) * H + head) * QUADS; }
uint headAt(uint image, uint head, uint token) { return ((image * T + token) * H + head) * QUADS; }
