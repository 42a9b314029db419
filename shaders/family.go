package shaders

// GPU is what tells one line of GPUs from another. Which kernels a device gets is decided here and nowhere else: from
// these facts follow the features that Pick compares with the rows of the variants table.
type GPU struct {
	Vendor       uint32 // PCI or Khronos vendor ID
	Software     bool   // the driver runs shaders on the CPU
	SubgroupSize int
	Subgroups    bool // basic, arithmetic and clustered subgroup operations in compute shaders
	Shuffles     bool // subgroup shuffles in compute shaders
	Dot          bool // VK_KHR_shader_integer_dot_product, perhaps emulated
	DotFast      bool // integerDotProduct4x8BitPackedSignedAccelerated
}

// Family is a line of GPUs whose compilers like the same tiles.
type Family struct {
	Name    string
	Vendors []uint32
	Has     Feature // of BigTiles and SharedMemory
	Why     string
}

// families is the table; a vendor that is not in it counts as "other" and gets what every device gets. The reasons are
// figures of internal/stats/edge.tsv.
var families = []Family{
	{"amd", []uint32{0x1002, 0x144d}, BigTiles | SharedMemory, "256 registers a thread, 64 KiB beside the caches; Samsung's Xclipse is one too"},
	{"nvidia", []uint32{0x10de}, BigTiles | SharedMemory, "255 registers a thread, shared memory as fast as the cache it is cut from"},
	{"intel", []uint32{0x8086}, SharedMemory, "128 registers of 8 or 16 lanes: 4x4 sums are what all its generations hold"},
	{"adreno", []uint32{0x5143}, BigTiles, "8x8 sums do not spill; texture cache and L2 serve plain loads well"},
	{"apple", []uint32{0x106b}, BigTiles | SharedMemory, "208 registers a thread, tile memory"},
	{"mali", []uint32{0x13b5}, 0, "64 registers a thread; shared memory is cached memory like any other"},
	{"v3d", []uint32{0x14e4}, 0, "64 registers a thread, 32 where two threads take turns; shared memory is ordinary memory"},
	{"powervr", []uint32{0x1010}, 0, "unmeasured: what every device gets"},
}

// Families lists the table, for tools and tests.
func Families() []Family { return append([]Family(nil), families...) }

// Family names the line of GPUs: one of Families, "software" or "other".
func (g GPU) Family() string { return g.family().Name }

func (g GPU) family() Family {
	if g.Software {
		return Family{Name: "software"}
	}
	for _, f := range families {
		for _, v := range f.Vendors {
			if v == g.Vendor {
				return f
			}
		}
	}
	return Family{Name: "other"}
}

// narrowSubgroup and below gain nothing from subgroup operations over shared memory; software drivers have 4 or 8.
const narrowSubgroup = 8

// shuffledLanes are the threads that at least must be able to hand numbers round: include/lanes.glsl.
const shuffledLanes = 4

// Features are what Pick chooses by on this GPU: worthwhile is what makes kernels faster there, supported adds what
// works but gains nothing, such as dot products that the driver emulates. Tests pin variants by supported.
func (g GPU) Features() (worthwhile, supported Feature) {
	supported = BigTiles | SharedMemory
	worthwhile = g.family().Has
	if g.Shuffles && g.SubgroupSize >= shuffledLanes {
		supported |= TexelFetch
		if g.Software {
			worthwhile |= TexelFetch
		}
	}
	if g.Subgroups {
		supported |= SubgroupArithmetic
		if g.SubgroupSize > narrowSubgroup {
			worthwhile |= SubgroupArithmetic
		}
	}
	if g.Dot {
		supported |= IntegerDotProduct
		if g.DotFast {
			worthwhile |= IntegerDotProduct
		}
	}
	return worthwhile, supported
}
