package shaders

import "testing"

func TestFamily(t *testing.T) {
	const dot, sub = IntegerDotProduct, SubgroupArithmetic
	tests := []struct {
		gpu  GPU
		name string
		want Feature
	}{
		{GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true, DotFast: true}, "amd", BigTiles | SharedMemory | sub | dot},
		{GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true}, "amd", BigTiles | SharedMemory | sub}, // Vega emulates dot products
		{GPU{Vendor: 0x10de, SubgroupSize: 32, Subgroups: true, Dot: true, DotFast: true}, "nvidia", BigTiles | SharedMemory | sub | dot},
		{GPU{Vendor: 0x5143, SubgroupSize: 64, Subgroups: true}, "adreno", BigTiles | sub},
		{GPU{Vendor: 0x13b5, SubgroupSize: 8, Subgroups: true}, "mali", 0},
		{GPU{Vendor: 0x13b5, SubgroupSize: 16, Subgroups: true, Dot: true, DotFast: true}, "mali", sub | dot},
		{GPU{Vendor: 0x14e4, SubgroupSize: 16}, "v3d", 0},
		{GPU{Vendor: 0x10005, Software: true, SubgroupSize: 8, Shuffles: true, Dot: true}, "software", TexelFetch},
		{GPU{Vendor: 0x1002, Software: true, SubgroupSize: 4, Shuffles: true}, "software", TexelFetch},
		{GPU{Vendor: 0x10005, Software: true, SubgroupSize: 2, Shuffles: true}, "software", 0},
		{GPU{Vendor: 0x10005, Software: true, SubgroupSize: 8, Subgroups: true}, "software", 0},
		{GPU{Vendor: 0xbeef, SubgroupSize: 32, Subgroups: true}, "other", sub},
	}
	for _, tt := range tests {
		worthwhile, supported := tt.gpu.Features()
		if tt.gpu.Family() != tt.name || worthwhile != tt.want {
			t.Errorf("%+v is %s with %v, expected %s with %v", tt.gpu, tt.gpu.Family(), worthwhile, tt.name, tt.want)
		}
		if worthwhile&^supported != 0 {
			t.Errorf("%+v: worthwhile %v are not among the supported %v", tt.gpu, worthwhile, supported)
		}
	}
}

// TestFamiliesAreDistinct: a vendor belongs to one family, and every family says why it has what it has.
func TestFamiliesAreDistinct(t *testing.T) {
	seen := map[uint32]string{}
	for _, f := range Families() {
		if f.Why == "" || f.Has&^(BigTiles|SharedMemory) != 0 {
			t.Errorf("%+v", f)
		}
		for _, v := range f.Vendors {
			if seen[v] != "" {
				t.Errorf("vendor %#x is %s and %s", v, seen[v], f.Name)
			}
			seen[v] = f.Name
		}
	}
}

// TestPickPerFamily: rows with tiles for many registers are told apart by name and passed over where there are few.
func TestPickPerFamily(t *testing.T) {
	big := Row{Source: "gemm.comp", Define: "BASE", Needs: BigTiles}
	if big.Variant() != "BASE+BIG" || big.File() != "gemm.base.spv" {
		t.Errorf("variant %q, file %q", big.Variant(), big.File())
	}
	withKernels(t, []Kernel{{Name: "gemm", Variant: "BIG", Needs: BigTiles}, {Name: "gemm"}})
	for vendor, want := range map[uint32]string{0x1002: "gemm/BIG", 0x13b5: "gemm", 0x5143: "gemm/BIG", 0: "gemm"} {
		has, _ := GPU{Vendor: vendor}.Features()
		if k, err := Pick("gemm", has); err != nil || k.String() != want {
			t.Errorf("vendor %#x: %v, %v, expected %s", vendor, k, err, want)
		}
	}
}
