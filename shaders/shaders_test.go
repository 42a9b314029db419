package shaders

import (
	"errors"
	"testing"
)

func TestGeneratedTableFitsVariants(t *testing.T) {
	if len(kernels) != len(variants) {
		t.Fatalf("%d generated kernels, %d rows: run make shaders", len(kernels), len(variants))
	}
	for i, row := range variants {
		k := kernels[i]
		if k.Name != row.Kernel || k.Variant != row.Variant() || k.File != row.File() || k.Needs != row.Needs {
			t.Errorf("row %d is %+v, generated %v: run make shaders", i, row, &k)
		}
		if row.Why == "" {
			t.Errorf("row %d, %v, gives no reason", i, &k)
		}
		for j, v := range row.Tile {
			if k.Spec[j].Value != v {
				t.Errorf("%v: constant %d is %d, the row's tile says %d: run make shaders", &k, j, k.Spec[j].Value, v)
			}
		}
		if code, err := k.Code(); err != nil || len(code)%4 != 0 || len(code) == 0 {
			t.Errorf("%v: %d bytes of code, %v", &k, len(code), err)
		}
	}
}

// withKernels replaces the generated table for one test.
func withKernels(t *testing.T, table []Kernel) {
	old := kernels
	kernels = table
	t.Cleanup(func() { kernels = old })
}

func TestPick(t *testing.T) {
	withKernels(t, []Kernel{
		{Name: "gemm", Variant: "DOT", Needs: IntegerDotProduct},
		{Name: "gemm", Variant: "SG", Needs: SubgroupArithmetic},
		{Name: "gemm"},
		{Name: "add", Variant: "T", Needs: TexelFetch},
	})
	tests := []struct {
		ask  string
		has  Feature
		want string // empty: ErrNoKernel
	}{
		{"gemm", 0, "gemm"},
		{"gemm", SubgroupArithmetic, "gemm/SG"},
		{"gemm", SubgroupArithmetic | IntegerDotProduct, "gemm/DOT"},
		{"gemm/SG", SubgroupArithmetic | IntegerDotProduct, "gemm/SG"},
		{"gemm/SG", 0, ""},
		{"gemm/", SubgroupArithmetic, ""},
		{"add", 0, ""},
		{"ge", 0, ""},
		{"", 0, ""},
	}
	for _, tt := range tests {
		k, err := Pick(tt.ask, tt.has)
		if tt.want == "" {
			if !errors.Is(err, ErrNoKernel) {
				t.Errorf("Pick(%q, %v) = %v, %v, expected ErrNoKernel", tt.ask, tt.has, k, err)
			}
		} else if err != nil || k.String() != tt.want {
			t.Errorf("Pick(%q, %v) = %v, %v, expected %s", tt.ask, tt.has, k, err, tt.want)
		}
	}
	if n := len(Variants("gemm")); n != 3 {
		t.Errorf("%d variants, expected 3", n)
	}
}

func TestWorkgroup(t *testing.T) {
	k := &Kernel{Name: "k", Spec: []SpecConstant{{1, 64}, {4, 3}}, Local: [3]uint32{1, 2, 1}, LocalIDs: [3]int{1, -1, 4}}
	tests := []struct {
		spec []uint32
		want [3]uint32
	}{
		{nil, [3]uint32{64, 2, 3}},
		{[]uint32{32}, [3]uint32{32, 2, 3}},
		{[]uint32{32, 7}, [3]uint32{32, 2, 7}},
	}
	for _, tt := range tests {
		if got, err := k.Workgroup(tt.spec); err != nil || got != tt.want {
			t.Errorf("Workgroup(%v) = %v, %v, expected %v", tt.spec, got, err, tt.want)
		}
	}
	if _, err := k.Workgroup([]uint32{1, 2, 3}); err == nil {
		t.Error("three values for two constants were accepted")
	}
}

func TestFeatureString(t *testing.T) {
	tests := map[Feature]string{0: "0", IntegerDotProduct | TexelFetch: "IntegerDotProduct | TexelFetch", 1 << 30: "0x40000000"}
	for f, want := range tests {
		if got := f.String(); got != want {
			t.Errorf("%d: %q, expected %q", uint32(f), got, want)
		}
	}
}

func TestRowNames(t *testing.T) {
	r := Row{Source: "linear.comp", Define: "DOT4  GROUP=64"}
	if r.Variant() != "DOT4+GROUP=64" || r.File() != "linear.dot4.group_64.spv" {
		t.Errorf("variant %q, file %q", r.Variant(), r.File())
	}
}
