package main

import (
	"slices"
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
		for _, k := range picked {
			if k.Needs&shaders.TexelFetch != 0 {
				t.Errorf("%s gets %s", g.name, k)
			}
		}
		flash := slices.ContainsFunc(picked, func(k *shaders.Kernel) bool { return k.String() == "attention/BIG" })
		if many := g.gpu.Family() != "mali" && g.gpu.Family() != "v3d"; flash != many {
			t.Errorf("%s, %s, gets attention/BIG: %v", g.name, g.gpu.Family(), flash)
		}
	}
}

// TestEdgeJobs: sizes of whole vectors and others differ in constants, and so in digest.
func TestEdgeJobs(t *testing.T) {
	k, err := shaders.Pick("affine", 0)
	if err != nil {
		t.Fatal(err)
	}
	jobs := edgeJobs(k, true)
	if len(jobs) != 2 || len(edgeJobs(k, false)) != 1 {
		t.Fatalf("%d jobs", len(jobs))
	}
	a, err := jobs[0].digest()
	b, err2 := jobs[1].digest()
	if err != nil || err2 != nil || a == b {
		t.Errorf("%s and %s, %v, %v", a, b, err, err2)
	}
}
