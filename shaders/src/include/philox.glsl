// Philox2x32-10; the definition is sdk/internal/ref/philox.go, the bits are the same.
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
uint philox(uint element, uint stream, uint key) {
    uvec2 c = uvec2(element, stream);
    for (uint i = 0; i < 10; i++) {
        uint hi, lo;
        umulExtended(c.x, 0xD256D193u, hi, lo);
        c = uvec2(hi ^ key ^ c.y, lo);
        key += 0x9E3779B9u;
    }
    return c.x;
}
