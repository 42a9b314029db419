package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// edgeGPU is a GPU that edge.sh can compile for, and what its driver reports of it there.
type edgeGPU struct {
	name  string
	gpu   shaders.GPU
	held  bool // no kernel may spill; the others are reported
	least least
}

// least is how many multiply-adds an instruction kernels must reach at least, by name, for sizes of whole vectors.
type least map[string]float64

var edgeGPUs = []edgeGPU{
	{"vangogh", shaders.GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true, DotFast: true}, true, least{"linear_f32": 0.82}},
	{"renoir", shaders.GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true}, true, nil},
	{"nv-17b", shaders.GPU{Vendor: 0x10de, SubgroupSize: 32, Subgroups: true, Dot: true, DotFast: true}, true, least{"linear_f32": 0.82, "linear_q8ca8": 2.4}},
	{"adreno-740", shaders.GPU{Vendor: 0x5143, SubgroupSize: 64, Subgroups: true, Dot: true}, true, least{"linear_f32": 0.78}},
	{"mali-g610", shaders.GPU{Vendor: 0x13b5, SubgroupSize: 16, Subgroups: true, Dot: true, DotFast: true}, true, least{"linear_f32": 0.72, "linear_q8ca8": 2.0}},
	{"v3d-71", shaders.GPU{Vendor: 0x14e4, SubgroupSize: 16}, true, least{"linear_f32": 0.37}},
	{"adreno-660", shaders.GPU{Vendor: 0x5143, SubgroupSize: 64, Subgroups: true}, false, nil},
	{"phoenix", shaders.GPU{Vendor: 0x1002, SubgroupSize: 64, Subgroups: true, Dot: true, DotFast: true}, false, nil},
	{"mali-g52", shaders.GPU{Vendor: 0x13b5, SubgroupSize: 8, Subgroups: true}, false, nil},
	{"v3d-42", shaders.GPU{Vendor: 0x14e4, SubgroupSize: 16}, false, nil},
}

// edgeCases are the constants, set by the host for the layer's sizes, that variants are compiled with, as far as they have
// them.
var edgeCases = map[string]map[uint32]uint32{
	"whole":  {wideID: 1},
	"any":    {wideID: 0},
	"blocks": {wideID: 1, blockID: 4}, // activations with a scale for 64 columns
	"long":   {wideID: 1, longID: 1},  // rows of int8 whose sums float32 does not hold
	"groups": {wideID: 1, groupID: 1}, // int4 weights in groups of 32, the shaders' default being 64
	"half":   {wideID: 1, halfID: 1},  // what attention reads as float16, the same for heads of any size
	"odd":    {wideID: 0, halfID: 1},
}

const ( // specialisation constants
	groupID = 6 // words that share a scale of int4 weights
	blockID = 7
	longID  = 8
	wideID  = 9 // sizes are whole vectors
	halfID  = 10
)

// picked are the variants that a GPU gets, in every case that a kernel tells apart.
func (g edgeGPU) picked() (jobs []edgeJob, err error) {
	has, _ := g.gpu.Features()
	seen := map[string]bool{}
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
		jobs = append(jobs, edgeJobOf(g.name, best, "whole"))
		if other, err := shaders.Pick(k.Name, has&^(shaders.TexelFetch|shaders.BigTiles)); err == nil && hasSpec(other, wideID) {
			jobs = append(jobs, edgeJobOf(g.name, other, "any"))
			if hasSpec(other, halfID) {
				jobs = append(jobs, edgeJobOf(g.name, other, "odd"))
			}
		}
		if hasSpec(best, halfID) {
			jobs = append(jobs, edgeJobOf(g.name, best, "half"))
		}
		if hasSpec(best, blockID) {
			jobs = append(jobs, edgeJobOf(g.name, best, "blocks"))
		}
		if hasSpec(best, groupID) {
			jobs = append(jobs, edgeJobOf(g.name, best, "groups"))
		}
		if hasSpec(best, longID) && !hasSpec(best, groupID) && best.Needs&shaders.IntegerDotProduct == 0 {
			jobs = append(jobs, edgeJobOf(g.name, best, "long"))
		}
	}
	return jobs, nil
}

func hasSpec(k *shaders.Kernel, id uint32) bool {
	return slices.ContainsFunc(k.Spec, func(s shaders.SpecConstant) bool { return s.ID == id })
}

const edgeColumns = "kernel\tgpu\tsizes\tregisters\tspills\tshared\tinstructions\tmac_per_instruction\tdriver\tdigest"

// edgeJob is one compilation.
type edgeJob struct {
	gpu   string
	k     *shaders.Kernel
	sizes string // of edgeCases
	spec  []string
}

func edgeJobOf(gpu string, k *shaders.Kernel, sizes string) edgeJob {
	j := edgeJob{gpu: gpu, k: k, sizes: sizes}
	for _, s := range k.Spec {
		v := s.Value
		if set, ok := edgeCases[sizes][s.ID]; ok {
			v = set
		}
		j.spec = append(j.spec, fmt.Sprintf("%d=%d", s.ID, v))
	}
	return j
}

// digest identifies all that a result depends on, GPU and driver apart.
func (j edgeJob) digest() (string, error) {
	code, err := j.k.Code()
	return fmt.Sprintf("%x", sha256.Sum256(append(code, strings.Join(j.spec, ",")...)))[:12], err
}

// result names one compilation: kernels that are the same module with the same constants share it.
type result struct{ gpu, digest string }

// edge compiles what each of the named GPUs gets, all if there are none, and writes edge.tsv. Results of the last time are
// kept: under emulation one may take minutes.
func edge(dir string, names []string) error {
	path := filepath.Join(dir, "internal", "stats", "edge.tsv")
	t := edgeTable{path: path, known: map[result]string{}}
	if text, err := os.ReadFile(path); err == nil {
		t.read(string(text))
	}
	var missing []edgeJob
	for _, g := range edgeGPUs {
		jobs, err := g.picked()
		if err != nil {
			return err
		}
		for _, j := range jobs {
			digest, err := j.digest()
			if err != nil {
				return err
			}
			t.jobs = append(t.jobs, j)
			at := result{g.name, digest}
			t.at = append(t.at, at)
			if _, ok := t.known[at]; !ok && (len(names) == 0 || slices.Contains(names, g.name)) {
				t.known[at] = ""
				missing = append(missing, j)
			}
		}
	}
	if err := t.compile(dir, missing); err != nil {
		return err
	}
	if complaints := t.complaints(); len(complaints) > 0 {
		return fmt.Errorf("%d compilations:\n  %s", len(complaints), strings.Join(complaints, "\n  "))
	}
	return nil
}

// edgeTable is edge.tsv. Safe for concurrent use.
type edgeTable struct {
	path string
	jobs []edgeJob
	at   []result // of each job

	mu    sync.Mutex
	known map[result]string // empty while it is compiled
}

func (t *edgeTable) read(text string) {
	for _, line := range strings.Split(text, "\n") {
		if f := strings.Split(line, "\t"); len(f) == strings.Count(edgeColumns, "\t")+1 && f[0] != "kernel" {
			t.known[result{f[1], f[9]}] = strings.Join(f[3:9], "\t")
		}
	}
}

// compile fills in what is missing, as many at a time as there are processors, and writes the table after each: it may be
// ended at any time.
func (t *edgeTable) compile(dir string, missing []edgeJob) error {
	var wg sync.WaitGroup
	queue, errs := make(chan edgeJob), make([]error, runtime.NumCPU())
	for i := range errs {
		wg.Go(func() {
			for j := range queue {
				digest, err := j.digest()
				if err == nil {
					err = t.add(result{j.gpu, digest}, j.figures(dir))
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	for i, j := range missing {
		queue <- j
		fmt.Fprintf(os.Stderr, "shader-stats-edge: %d of %d: %s on %s\n", i+1, len(missing), j.k, j.gpu)
	}
	close(queue)
	wg.Wait()
	return errors.Join(append(errs, t.add(result{}, ""))...)
}

func (t *edgeTable) add(at result, figures string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.known[at] = figures
	var b bytes.Buffer
	fmt.Fprintf(&b, "# by make shader-stats-edge; spills of NVIDIA's to other registers count too; 0 instructions: the driver gives no assembly\n%s\n", edgeColumns)
	for i, j := range t.jobs {
		if f := t.known[t.at[i]]; f != "" {
			fmt.Fprintf(&b, "%s\t%s\t%s\t%s\t%s\n", j.k, j.gpu, j.sizes, f, t.at[i].digest)
		}
	}
	return replace(t.path, b.Bytes())
}

// replace writes a table whole or not at all: runs take minutes, and are interrupted.
func replace(path string, text []byte) error {
	next := path + ".next"
	if err := os.WriteFile(next, text, 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// complaints are what no GPU that is held may have.
func (t *edgeTable) complaints() (out []string) {
	for i, j := range t.jobs {
		for _, g := range edgeGPUs {
			if fault := g.fault(j, t.known[t.at[i]]); g.name == j.gpu && fault != "" {
				out = append(out, fmt.Sprintf("%s on %s, %s sizes: %s", j.k, j.gpu, j.sizes, fault))
			}
		}
	}
	return out
}

// fault says what is wrong with the figures of a compilation, empty while there are none.
func (g edgeGPU) fault(j edgeJob, figures string) string {
	f := strings.Split(figures, "\t")
	if !g.held || len(f) != 6 {
		return ""
	}
	if f[1] != "0" {
		return "spills " + f[1]
	}
	products, err := strconv.ParseFloat(f[4], 64)
	if least := g.least[j.k.Name]; j.sizes == "whole" && (err != nil || products < least) {
		return fmt.Sprintf("%s multiply-adds an instruction, %.2f expected", f[4], least)
	}
	return ""
}

// figures compiles one variant. What does not compile counts as spilling "failed".
func (j edgeJob) figures(dir string) string {
	r, err := j.run(dir, j.gpu)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return "0\tfailed\t0\t0\t0\t-"
	}
	code := r.Code
	if r.MainLoop >= 0 && r.MainLoop < len(r.Loops) {
		code = r.Loops[r.MainLoop]
	}
	return fmt.Sprintf("%d\t%d\t%d\t%d\t%.2f\t%s", r.Registers, r.Spilled, r.Shared, r.Code.Instr, code.PerInstr, r.Driver)
}
