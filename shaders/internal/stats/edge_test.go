package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// TestEdgePicks: every GPU gets a variant of every kernel that is not optional, and none for software drivers.
func TestEdgePicks(t *testing.T) {
	for _, g := range edgeGPUs {
		picked, err := g.picked()
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		for _, j := range picked {
			if j.k.Needs&shaders.TexelFetch != 0 || j.sizes == "any" && j.k.Needs&shaders.BigTiles != 0 {
				t.Errorf("%s gets %s for %s sizes", g.name, j.k, j.sizes)
			}
		}
		flash := slices.ContainsFunc(picked, func(j edgeJob) bool { return j.k.String() == "attention/BIG" })
		if many := g.gpu.Family() != "mali" && g.gpu.Family() != "v3d"; flash != many {
			t.Errorf("%s, %s, gets attention/BIG: %v", g.name, g.gpu.Family(), flash)
		}
	}
}

// TestEdgeCases: layers over int8 activations are compiled with scales of blocks, and, where sums are widened, for long rows;
// int4 weights, whose groups end sums, and dot products have no long rows. Groups have two sizes.
func TestEdgeCases(t *testing.T) {
	want := map[string]bool{
		"linear_q8ca8 half": true, "linear_q8ca8 odd": true, "linear_q4ga8 half": true, "linear_q4ga8 odd": true,
		"linear_q8ca8 whole": true, "linear_q8ca8 any": true, "linear_q8ca8 blocks": true, "linear_q8ca8 long": true,
		"linear_q4ga8 whole": true, "linear_q4ga8 any": true, "linear_q4ga8 blocks": true, "linear_q4ga8 groups": true,
		"quantize whole": true, "quantize any": true, "quantize blocks": true, "axpy whole": true,
	}
	for _, g := range edgeGPUs {
		picked, err := g.picked()
		if err != nil {
			t.Fatal(err)
		}
		has := map[string]bool{}
		for _, j := range picked {
			has[j.k.Name+" "+j.sizes] = true
		}
		for _, name := range []string{"linear_q8ca8", "linear_q4ga8", "quantize", "axpy"} {
			for sizes := range edgeCases {
				expected := want[name+" "+sizes] && !(sizes == "long" && g.gpu.DotFast)
				if has[name+" "+sizes] != expected {
					t.Errorf("%s, %s in case %s: %v, expected %v", g.name, name, sizes, !expected, expected)
				}
			}
		}
	}
}

// TestEdgeJobs: sizes of whole vectors and others differ in constants, and so in digest.
func TestEdgeJobs(t *testing.T) {
	k, err := shaders.Pick("affine", 0)
	if err != nil {
		t.Fatal(err)
	}
	a, err := edgeJobOf("vangogh", k, "whole").digest()
	b, err2 := edgeJobOf("vangogh", k, "any").digest()
	if err != nil || err2 != nil || a == b {
		t.Errorf("%s and %s, %v, %v", a, b, err, err2)
	}
}

// TestEdgeTable: what was compiled is not compiled again, and what is no longer asked for is left out.
func TestEdgeTable(t *testing.T) {
	g := edgeGPU{name: "vangogh", gpu: shaders.GPU{Vendor: 0x1002}, held: true}
	jobs, err := g.picked()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := jobs[0].digest()
	if err != nil {
		t.Fatal(err)
	}
	table := edgeTable{path: filepath.Join(t.TempDir(), "edge.tsv"), known: map[result]string{}, jobs: jobs[:1], at: []result{{g.name, digest}}}
	table.read("kernel\tgpu\tsizes\tregisters\tspills\tshared\tinstructions\tmac_per_instruction\tdriver\tdigest\n" +
		"old\tvangogh\twhole\t8\t0\t0\t23\t0.00\tradv\t" + digest + "\ngone\tvangogh\twhole\t8\t7\t0\t23\t0.00\tradv\t0123")
	if len(table.known) != 2 || table.complaints() != nil {
		t.Errorf("read %v, complaints %q", table.known, table.complaints())
	}
	if err := table.add(table.at[0], "8\t3\t0\t23\t0.50\tradv"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(table.path)
	want := jobs[0].k.String() + "\tvangogh\twhole\t8\t3\t0\t23\t0.50\tradv\t" + digest + "\n"
	if lines := strings.SplitAfterN(string(text), "\n", 3); err != nil || lines[2] != want || len(table.complaints()) != 1 {
		t.Errorf("wrote %q, %v, complaints %q", text, err, table.complaints())
	}
}

// TestEdgeHolds: on the GPUs that are held nothing that they get spills, or falls short, by the committed table. Compilations
// without current figures are listed, not refused, while they are few: a shader can be changed without these compilers,
// but the table cannot be left behind for good.
func TestEdgeHolds(t *testing.T) {
	text, err := os.ReadFile("edge.tsv")
	if err != nil {
		t.Fatal(err)
	}
	table := edgeTable{known: map[result]string{}}
	table.read(string(text))
	for _, g := range edgeGPUs {
		jobs, err := g.picked()
		if err != nil {
			t.Fatal(err)
		}
		var stale []string
		for _, j := range jobs {
			digest, err := j.digest()
			if err != nil {
				t.Fatal(err)
			}
			figures, ok := table.known[result{g.name, digest}]
			if fault := g.fault(j, figures); fault != "" {
				t.Errorf("%s on %s, %s sizes: %s", j.k, g.name, j.sizes, fault)
			}
			if !ok {
				stale = append(stale, j.k.String()+" "+j.sizes)
			}
		}
		if len(stale) > 0 {
			t.Logf("%s: %d of %d without current figures: %s", g.name, len(stale), len(jobs), strings.Join(stale, ", "))
		}
		if g.held && len(stale) > len(jobs)/2 {
			t.Errorf("%s: figures are missing for most compilations: make shader-stats-edge EDGE_GPUS=%s", g.name, g.name)
		}
	}
}

// TestEdgeFaults: spills, failures and low figures of a GPU that is held are faults, what is missing or only reported is not.
func TestEdgeFaults(t *testing.T) {
	g := edgeGPU{held: true, least: least{"affine": 0.5}}
	k, err := shaders.Pick("affine", 0)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		g       edgeGPU
		sizes   string
		figures string
		fault   bool
	}{
		{g, "whole", "8\t0\t0\t23\t0.50\tradv", false},
		{g, "whole", "8\t0\t0\t23\t0.49\tradv", true},
		{g, "any", "8\t0\t0\t23\t0.49\tradv", false},
		{g, "whole", "8\t1\t0\t23\t0.50\tradv", true},
		{g, "any", "0\tfailed\t0\t0\t0\t-", true},
		{g, "whole", "", false},
		{edgeGPU{}, "whole", "8\t1\t0\t23\t0.50\tradv", false},
	}
	for _, tt := range tests {
		if fault := tt.g.fault(edgeJob{k: k, sizes: tt.sizes}, tt.figures); (fault != "") != tt.fault {
			t.Errorf("%q, %s sizes, held %v: fault %q", tt.figures, tt.sizes, tt.g.held, fault)
		}
	}
}
