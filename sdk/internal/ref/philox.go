package ref

// Philox2x32 is the counter-based generator Philox2x32-10: ten rounds of one 32 x 32 bit product, the key moved by
// the golden ratio between them.
//
// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
func Philox2x32(counter [2]uint32, key uint32) [2]uint32 {
	const (
		rounds     = 10
		multiplier = 0xD256D193
		weyl       = 0x9E3779B9 // 2³² / golden ratio
	)
	for range rounds {
		product := uint64(counter[0]) * multiplier
		counter = [2]uint32{uint32(product>>32) ^ key ^ counter[1], uint32(product)}
		key += weyl
	}
	return counter
}

// Dropout zeroes an element with probability P and multiplies the others by 1/(1-P). The zero value does nothing.
type Dropout struct {
	P           float32 // 0 <= P < 1
	Key, Stream uint32  // one mask for each pair
}

// Keeps reports whether element e stays: whether the first word of Philox2x32({e, Stream}, Key) is at least P 2³².
func (d Dropout) Keeps(e uint32) bool {
	return float64(Philox2x32([2]uint32{e, d.Stream}, d.Key)[0]) >= float64(d.P)*0x1p32
}

func (d Dropout) apply(x float64, e int) float64 {
	switch {
	case d.P == 0:
		return x
	case d.Keeps(uint32(e)):
		return x / (1 - float64(d.P))
	}
	return 0
}
