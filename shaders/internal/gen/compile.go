package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	"github.com/edgeadapt/edgeadapt/shaders"
)

// errNoTool says that a program of the shader tool chain is not installed.
var errNoTool = errors.New("not installed")

// compilerVersion is glslc's version in one line: its own, SPIRV-Tools' and glslang's, all of which shape the code.
func compilerVersion() (string, error) {
	out, err := exec.Command("glslc", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("glslc --version: %w", err)
	}
	versions, _, _ := strings.Cut(string(out), "\n\n")
	return strings.Join(strings.Split(strings.TrimSpace(versions), "\n"), ", "), nil
}

// files maps each module file to a row that makes it.
func files(rows []shaders.Row) map[string]shaders.Row {
	m := map[string]shaders.Row{}
	for _, r := range rows {
		m[r.File()] = r
	}
	return m
}

// compileAll returns the modules of all rows by file name, or every compiler message at once.
func compileAll(t tree, rows []shaders.Row) (map[string][]byte, error) {
	var (
		mu     sync.Mutex
		wg     sync.WaitGroup
		built  = map[string][]byte{}
		failed []error
		slots  = make(chan struct{}, runtime.NumCPU())
	)
	for file, row := range files(rows) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			code, err := compile(t, row)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				failed = append(failed, err)
			}
			built[file] = code
		})
	}
	wg.Wait()
	return built, errors.Join(failed...)
}

func compile(t tree, row shaders.Row) ([]byte, error) {
	args := []string{"--target-env=vulkan1.1", "-O", "-I", filepath.Join(t.dir, "src", "include")}
	for _, define := range strings.Fields(row.Define) {
		args = append(args, "-D"+define)
	}
	cmd := exec.Command("glslc", append(args, "-o", "-", t.source(row.Source))...)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	code, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s with %q: %w\n%s", row.Source, row.Define, err, messages.String())
	}
	return code, nil
}

// validate runs spirv-val under the rules of Vulkan 1.1; errNoTool if there is none.
func validate(file string, code []byte) error {
	tool, err := exec.LookPath("spirv-val")
	if err != nil {
		return errNoTool
	}
	cmd := exec.Command(tool, "--target-env", "vulkan1.1", "-")
	cmd.Stdin = bytes.NewReader(code)
	cmd.Env = os.Environ()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("spirv-val %s: %w\n%s", file, err, out)
	}
	return nil
}
