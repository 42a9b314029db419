package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// row is what a driver says of one variant of a kernel on one family.
type row struct {
	kernel, family string
	registers      int     // vector registers
	spills         int     // of vector and scalar registers
	shared         int     // bytes
	waves          int     // subgroups a SIMD holds
	instructions   int     // of the whole shader
	cycles         float64 // per 1000 multiply-adds, 0 where there is none
}

// table is all rows by one driver.
type table struct {
	driver string
	rows   []row
}

// reported is what we read of shaderstats' JSON.
type reported struct {
	Shader, Family, Driver, Verdict string
	OK                              bool
	Declared                        int `json:"declared_shared"`
	Stats                           map[string]float64
	Cycles                          float64 `json:"cycles_per_kmac"`
	Code                            struct{ Mac float64 }
}

// compilation is a variant with the constants of its row, or with float16 where it may have that.
type compilation struct {
	*shaders.Kernel
	half bool
}

func (c compilation) String() string {
	if c.half {
		return c.Kernel.String() + " half"
	}
	return c.Kernel.String()
}

// compilations are those of kernels.
func compilations(kernels []*shaders.Kernel) (all []compilation) {
	for _, k := range kernels {
		all = append(all, compilation{k, false})
		if hasSpec(k, halfID) {
			all = append(all, compilation{k, true})
		}
	}
	return all
}

// measure compiles all kernels, as many at a time as there are processors.
func measure(tool, spirv string, families []string, kernels []*shaders.Kernel) (table, error) {
	all := compilations(kernels)
	results := make([][]reported, len(all))
	errs := make([]error, len(all))
	slots := make(chan struct{}, runtime.NumCPU())
	var wg sync.WaitGroup
	for i, k := range all {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			results[i], errs[i] = compile(tool, spirv, families, k)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return table{}, err
	}
	var t table
	for i, k := range all {
		for _, r := range results[i] {
			if t.driver == "" {
				t.driver = r.Driver
			}
			t.rows = append(t.rows, r.row(k.String()))
		}
	}
	return t, nil
}

// compile asks shaderstats for one kernel. A shader that spills makes it exit with 1: the budgets
// judge that, not the exit status.
func compile(tool, spirv string, families []string, k compilation) ([]reported, error) {
	args := []string{"--json", "--allow", "--families", strings.Join(families, ",")}
	if len(k.Spec) > 0 {
		var list []string
		for _, s := range k.Spec {
			if s.ID == halfID && k.half {
				s.Value = 1
			}
			list = append(list, fmt.Sprintf("%d=%d", s.ID, s.Value))
		}
		args = append(args, "--spec", strings.Join(list, ","))
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(tool, append(args, filepath.Join(spirv, k.File))...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var list []reported
	if jsonErr := json.Unmarshal(stdout.Bytes(), &list); jsonErr != nil || len(list) != len(families) {
		return nil, fmt.Errorf("%s: %v: %s", k, err, strings.TrimSpace(stderr.String()))
	}
	for _, r := range list {
		if !r.OK && strings.HasPrefix(r.Verdict, "FAIL") {
			return nil, fmt.Errorf("%s on %s: %s", k, r.Family, r.Verdict)
		}
	}
	return list, nil
}

func (r reported) row(kernel string) row {
	x := row{kernel: kernel, family: r.Family, registers: int(r.Stats["VGPRs"]), spills: int(r.Stats["Spilled VGPRs"] + r.Stats["Spilled SGPRs"]),
		shared: max(int(r.Stats["LDS size"]), r.Declared), waves: int(r.Stats["Subgroups per SIMD"]), instructions: int(r.Stats["Instructions"])}
	if r.Code.Mac > 0 {
		x.cycles = r.Cycles
	}
	return x
}
