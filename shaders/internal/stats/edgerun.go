package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// edgeReport is what we read of shaderstats' JSON here.
type edgeReport struct {
	Driver, Verdict            string
	Registers, Spilled, Shared int
	Code                       codeCount
	Loops                      []codeCount
	MainLoop                   int `json:"main_loop"`
}

type codeCount struct {
	Instr    int
	PerInstr float64 `json:"mac_per_instr"`
}

// run compiles one variant for one GPU by edge.sh.
func (j edgeJob) run(dir, gpu string) (edgeReport, error) {
	args := []string{"run", gpu, "--json", "--allow"}
	if len(j.spec) > 0 {
		args = append(args, "--spec", strings.Join(j.spec, ","))
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(filepath.Join(dir, "internal", "stats", "edge.sh"), append(args, filepath.Join(dir, "spirv", j.k.File))...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	list := []edgeReport{{MainLoop: -1}}
	if jsonErr := json.Unmarshal(stdout.Bytes(), &list); jsonErr != nil || len(list) != 1 {
		return edgeReport{}, fmt.Errorf("%s on %s: %v: %s", j.k, gpu, err, strings.TrimSpace(stderr.String()))
	}
	if strings.HasPrefix(list[0].Verdict, "FAIL") {
		return list[0], fmt.Errorf("%s on %s: %s", j.k, gpu, list[0].Verdict)
	}
	return list[0], nil
}
