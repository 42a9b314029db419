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
	// TexelFetch: a preference rather than an ability. Drivers that run shaders on the CPU answer texel fetches
	// several times faster than loads from storage buffers.
	TexelFetch

	featureEnd
)

var featureNames = map[Feature]string{
	IntegerDotProduct:  "IntegerDotProduct",
	SubgroupArithmetic: "SubgroupArithmetic",
	TexelFetch:         "TexelFetch",
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
