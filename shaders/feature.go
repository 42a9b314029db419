package shaders

import (
	"fmt"
	"strings"
)

// Feature is a set of abilities beyond plain Vulkan 1.1 that a variant may need.
type Feature uint32

const (
	// IntegerDotProduct: accelerated 4x8-bit packed signed dot product (not mere emulation).
	IntegerDotProduct Feature = 1 << iota
	// SubgroupArithmetic: basic, arithmetic and clustered subgroup operations in compute shaders.
	SubgroupArithmetic
	// TexelFetch: a preference rather than an ability. Drivers that run shaders on the CPU answer texel fetches several times
	// faster than loads from storage buffers. These rows may shuffle within subgroups of at least 4, too.
	TexelFetch
	// BigTiles: a preference; a thread's registers hold 8x8 sums and what feeds them. See family.go.
	BigTiles
	// SharedMemory: a preference; workgroups have on-chip memory that is not just cached memory. See family.go.
	SharedMemory

	featureEnd
)

var featureNames = map[Feature]string{
	IntegerDotProduct:  "IntegerDotProduct",
	SubgroupArithmetic: "SubgroupArithmetic",
	TexelFetch:         "TexelFetch",
	BigTiles:           "BigTiles",
	SharedMemory:       "SharedMemory",
}

// String joins the names of the set by " | ", as Go source would; the empty set is "0".
func (f Feature) String() string {
	var names []string
	for bit := Feature(1); bit < featureEnd; bit <<= 1 {
		if f&bit != 0 {
			names = append(names, featureNames[bit])
		}
	}
	if rest := f &^ (featureEnd - 1); rest != 0 {
		names = append(names, fmt.Sprintf("%#x", uint32(rest)))
	}
	if len(names) == 0 {
		return "0"
	}
	return strings.Join(names, " | ")
}
