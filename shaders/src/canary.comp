// Canary: state is two halves of 64 words. next[i] = mix(now[i], now[i + 1 mod 64], segment), where now is the half of
// segment's parity and next the other. mix takes an int8 dot product of the two words, so that what computes wrongly, leaves
// lanes out or leaves a segment out shows in every later word. One thread a word, integers only. Reference: vulkan/canary.go.
#version 450
#extension GL_EXT_control_flow_attributes : require

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint WORKGROUP = 64;

const uint WORDS = 64;

layout(std430, set = 0, binding = 0) buffer State { uint state[]; };
layout(push_constant) uniform Push { uint segment; };

uint mix8(uint a, uint b) {
    int dot = 0;
    [[unroll]] for (int k = 0; k < 32; k += 8)
        dot += bitfieldExtract(int(a), k, 8) * bitfieldExtract(int(b), k, 8);
    uint v = (a ^ uint(dot)) * 747796405u + 2891336453u + segment;
    return v ^ (v >> 16);
}

void main() {
    uint i = gl_GlobalInvocationID.x;
    if (i >= WORDS) return;
    uint now = (segment & 1u) * WORDS, next = WORDS - now;
    state[next + i] = mix8(state[now + i], state[now + (i + 1u) % WORDS]);
}
