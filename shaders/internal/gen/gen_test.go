package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
	"github.com/edgeadapt/edgeadapt/shaders/internal/spirv"
)

var committed = tree{"../.."}

func TestCommittedFilesAreConsistent(t *testing.T) {
	if _, err := consistent(committed); err != nil {
		t.Error(err)
	}
}

// TestDamageIsFound is the negative control of the test above.
func TestDamageIsFound(t *testing.T) {
	first := shaders.Rows()[0].File()
	tests := []struct {
		name   string
		damage func(t tree) error
	}{
		{"module truncated", func(c tree) error { return os.Truncate(c.module(first), 100) }},
		{"module missing", func(c tree) error { return os.Remove(c.module(first)) }},
		{"module of no row", func(c tree) error { return os.WriteFile(c.module("none.spv"), nil, 0o644) }},
		{"table edited", func(c tree) error { return os.WriteFile(c.table(), []byte("package shaders\n"), 0o644) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			damaged := tree{t.TempDir()}
			if err := os.CopyFS(damaged.module(""), os.DirFS(committed.module(""))); err != nil {
				t.Fatal(err)
			}
			table, err := os.ReadFile(committed.table())
			if err == nil {
				err = os.WriteFile(damaged.table(), table, 0o644)
			}
			if err == nil {
				_, err = consistent(damaged)
			}
			if err != nil {
				t.Fatalf("the copy is damaged already: %v", err)
			}
			if err := tt.damage(damaged); err != nil {
				t.Fatal(err)
			}
			if _, err := consistent(damaged); err == nil {
				t.Error("the damage was not found")
			}
		})
	}
}

func TestCheckRow(t *testing.T) {
	plain, dot := shaders.Row{Kernel: "a"}, shaders.Row{Kernel: "a", Define: "DOT", Needs: shaders.IntegerDotProduct}
	other := shaders.Row{Kernel: "b"}
	tests := []struct {
		name string
		rows []shaders.Row
		want string // part of the error; empty: none
	}{
		{"right", []shaders.Row{dot, plain, other}, ""},
		{"last row needs something", []shaders.Row{plain, dot}, "last variant"},
		{"same variant twice", []shaders.Row{plain, plain}, "twice"},
		{"apart", []shaders.Row{dot, plain, other, {Kernel: "a", Define: "X"}}, "apart"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var found error
			for i := range tt.rows {
				if err := checkRow(tt.rows, i); err != nil && found == nil {
					found = err
				}
			}
			if tt.want == "" && found != nil || tt.want != "" && (found == nil || !strings.Contains(found.Error(), tt.want)) {
				t.Errorf("%v, expected %q", found, tt.want)
			}
		})
	}
}

func TestCheckModule(t *testing.T) {
	const shader, dotProduct = 1, 6019
	small := spirv.Module{Capabilities: []uint32{shader}, Local: [3]uint32{64, 1, 1}, LocalIDs: [3]int{-1, -1, -1}}
	edit := func(f func(m *spirv.Module)) spirv.Module {
		m := small
		f(&m)
		return m
	}
	dot := shaders.Row{Needs: shaders.IntegerDotProduct}
	tests := []struct {
		name string
		row  shaders.Row
		m    spirv.Module
		ok   bool
	}{
		{"small", shaders.Row{}, small, true},
		{"capability without need", shaders.Row{}, edit(func(m *spirv.Module) { m.Capabilities = []uint32{dotProduct} }), false},
		{"capability with need", dot, edit(func(m *spirv.Module) { m.Capabilities = []uint32{dotProduct} }), true},
		{"unknown capability", dot, edit(func(m *spirv.Module) { m.Capabilities = []uint32{11} }), false},
		{"push constants", shaders.Row{}, edit(func(m *spirv.Module) { m.PushBytes = 132 }), false},
		{"large group for every device", shaders.Row{}, edit(func(m *spirv.Module) { m.Local[1] = 4 }), false},
		{"large group with a need", dot, edit(func(m *spirv.Module) { m.Local[1] = 4 }), true},
		{"large group by tile", shaders.Row{Tile: shaders.Spec{256}}, edit(func(m *spirv.Module) {
			m.Spec, m.LocalIDs[0] = []shaders.SpecConstant{{ID: 0, Value: 64}}, 0
		}), false},
		{"tile of nothing", shaders.Row{Tile: shaders.Spec{1}}, small, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if err := checkModule(tt.row, tt.m); (err == nil) != tt.ok {
				t.Errorf("%v, expected ok %v", err, tt.ok)
			}
		})
	}
}

// TestCompileIsReproducible compiles one row twice where there is a compiler. Where Vulkan is required, so is that:
// both come with the same packages.
func TestCompileIsReproducible(t *testing.T) {
	if _, err := compilerVersion(); err != nil {
		if os.Getenv("EDGEADAPT_REQUIRE_VULKAN") == "1" {
			t.Fatalf("no shader compiler, and EDGEADAPT_REQUIRE_VULKAN is set: %v", err)
		}
		t.Skipf("no shader compiler here: %v", err)
	}
	row := shaders.Rows()[0]
	a, err := compile(committed, row)
	if err != nil {
		t.Fatal(err)
	}
	b, err := compile(committed, row)
	if err != nil || string(a) != string(b) {
		t.Errorf("two compilations differ, %v", err)
	}
	row.Source = filepath.Join("include", "none.comp")
	if _, err := compile(committed, row); err == nil {
		t.Error("a source that does not exist was compiled")
	}
}
