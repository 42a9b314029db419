package shaders

import "strings"

// Row is one line of the variants table.
type Row struct {
	Kernel string // name that hosts ask for
	Source string // file under src/
	Define string // macros of this compilation, separated by spaces: "DOT4" or "DOT4 GROUP=64"
	Tile   Spec   // values of specialisation constants, from the lowest ID up; the others keep the shader's default
	Needs  Feature
	Why    string
}

// Spec lists values of specialisation constants.
type Spec []uint32

// variants is the table: the rows of a kernel stand together, best first, and the last one needs nothing.
var variants = []Row{
	// kernel   source        define  tile      needs  why
	{"axpy", "axpy.comp", "", Spec{64}, 0, "every Vulkan 1.1 device; also the smoke test of a driver"},
}

// Rows is the variants table, for the generator and for tests.
func Rows() []Row { return append([]Row(nil), variants...) }

// Variant is the row's name beside its kernel's: its defines joined by "+".
func (r Row) Variant() string { return strings.Join(strings.Fields(r.Define), "+") }

// File is the name of the row's compiled module. Rows of one source and define share it.
func (r Row) File() string {
	name := strings.TrimSuffix(r.Source, ".comp")
	for _, d := range strings.Fields(r.Define) {
		name += "." + strings.ToLower(strings.ReplaceAll(d, "=", "_"))
	}
	return name + ".spv"
}
