package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// edgeGPU is a GPU that edge.sh can compile for, and what its driver reports of it there.
type edgeGPU struct {
	name  string
	gpu   shaders.GPU
	held  bool // no kernel may spill; the others are reported
	whole bool // kernels for sizes that are not whole vectors are compiled too: under emulation that takes too long
}

var edgeGPUs = []edgeGPU{
	{"vangogh", shaders.GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true, DotFast: true}, true, true},
	{"renoir", shaders.GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true}, true, true},
	{"nv-17b", shaders.GPU{Vendor: 0x10de, SubgroupSize: 32, Subgroups: true, Dot: true, DotFast: true}, true, true},
	{"adreno-740", shaders.GPU{Vendor: 0x5143, SubgroupSize: 64, Subgroups: true, Dot: true}, true, true},
	{"mali-g610", shaders.GPU{Vendor: 0x13b5, SubgroupSize: 16, Subgroups: true, Dot: true, DotFast: true}, true, false},
	{"v3d-71", shaders.GPU{Vendor: 0x14e4, SubgroupSize: 16}, true, false},
	{"adreno-660", shaders.GPU{Vendor: 0x5143, SubgroupSize: 64, Subgroups: true}, false, true},
	{"phoenix", shaders.GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true, DotFast: true}, false, true},
	{"mali-g52", shaders.GPU{Vendor: 0x13b5, SubgroupSize: 8, Subgroups: true}, false, false},
	{"v3d-42", shaders.GPU{Vendor: 0x14e4, SubgroupSize: 16}, false, false},
}

// picked are the variants that a GPU gets.
func (g edgeGPU) picked() ([]*shaders.Kernel, error) {
	has, _ := g.gpu.Features()
	seen := map[string]bool{}
	var out []*shaders.Kernel
	for _, k := range shaders.All() {
		if seen[k.Name] {
			continue
		}
		seen[k.Name] = true
		best, err := shaders.Pick(k.Name, has)
		if errors.Is(err, shaders.ErrNoKernel) && shaders.Optional(k.Name) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, best)
	}
	return out, nil
}

const edgeColumns = "kernel\tgpu\tsizes\tregisters\tspills\tshared\tinstructions\tmac_per_instruction\tdriver\tdigest"

// wideID is the specialisation constant for sizes that are whole vectors.
const wideID = 9

// edgeJob is one compilation; key identifies all that its result depends on, the driver apart.
type edgeJob struct {
	k     *shaders.Kernel
	sizes string // "whole" vectors, or "any"
	spec  []string
}

func edgeJobs(k *shaders.Kernel, whole bool) []edgeJob {
	job := func(sizes string, wide uint32) edgeJob {
		j := edgeJob{k: k, sizes: sizes}
		for _, s := range k.Spec {
			v := s.Value
			if s.ID == wideID {
				v = wide
			}
			j.spec = append(j.spec, fmt.Sprintf("%d=%d", s.ID, v))
		}
		return j
	}
	jobs := []edgeJob{job("whole", 1)}
	for _, s := range k.Spec {
		if s.ID == wideID && whole {
			jobs = append(jobs, job("any", 0))
		}
	}
	return jobs
}

func (j edgeJob) digest() (string, error) {
	code, err := j.k.Code()
	return fmt.Sprintf("%x", sha256.Sum256(append(code, strings.Join(j.spec, ",")...)))[:12], err
}

// edge compiles what each of the named GPUs gets and writes edge.tsv. Rows whose module and constants are those of the last
// time are kept: under emulation one may take minutes.
func edge(dir string, names []string) error {
	path := filepath.Join(dir, "internal", "stats", "edge.tsv")
	old := map[string]string{}
	if text, err := os.ReadFile(path); err == nil {
		for _, line := range strings.Split(string(text), "\n") {
			if f := strings.Split(line, "\t"); len(f) == 10 {
				old[f[0]+" "+f[1]+" "+f[2]+" "+f[9]] = line
			}
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# by make shader-stats-edge; spills of NVIDIA's to other registers count too; 0 instructions: the driver gives no assembly\n%s\n", edgeColumns)
	var complaints []string
	for _, g := range edgeGPUs {
		picked, err := g.picked()
		if err != nil {
			return err
		}
		for _, k := range picked {
			for _, j := range edgeJobs(k, g.whole) {
				digest, err := j.digest()
				if err != nil {
					return err
				}
				line := old[k.String()+" "+g.name+" "+j.sizes+" "+digest]
				if line == "" && len(names) > 0 && !contains(names, g.name) {
					continue
				}
				if line == "" {
					line = j.line(dir, g.name, digest)
				}
				fmt.Fprintln(&b, line)
				if f := strings.Split(line, "\t"); g.held && f[4] != "0" {
					complaints = append(complaints, fmt.Sprintf("%s on %s, %s sizes: spills %s", f[0], f[1], f[2], f[4]))
				}
			}
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil { // what there is, in case this ends early
			return err
		}
		fmt.Fprintf(os.Stderr, "shader-stats-edge: %s done\n", g.name)
	}
	if len(complaints) > 0 {
		return fmt.Errorf("%d compilations:\n  %s", len(complaints), strings.Join(complaints, "\n  "))
	}
	return nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// line compiles one variant. What does not compile counts as spilling "failed".
func (j edgeJob) line(dir, gpu, digest string) string {
	head := j.k.String() + "\t" + gpu + "\t" + j.sizes
	r, err := j.run(dir, gpu)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return fmt.Sprintf("%s\t0\tfailed\t0\t0\t0\t-\t%s", head, digest)
	}
	code := r.Code
	if r.MainLoop >= 0 && r.MainLoop < len(r.Loops) {
		code = r.Loops[r.MainLoop]
	}
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%d\t%.2f\t%s\t%s", head, r.Registers, r.Spilled, r.Shared, r.Code.Instr, code.PerInstr, r.Driver, digest)
}
