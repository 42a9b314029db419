// Command gen compiles the variants table of package shaders: every row's GLSL to spirv/*.spv, and what the modules
// say about themselves to kernels_gen.go. With -check it writes nothing and fails on a difference.
//
//	go run ./shaders/internal/gen          from the module's root; or -dir
//	go run ./shaders/internal/gen -check
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/edgeadapt/edgeadapt/shaders"
)

func main() {
	dir := flag.String("dir", "shaders", "folder of package shaders")
	check := flag.Bool("check", false, "compare with the committed files instead of writing them")
	flag.Parse()
	run := generate
	if *check {
		run = verify
	}
	if err := run(tree{*dir}); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// tree is the folder of package shaders.
type tree struct{ dir string }

func (t tree) table() string              { return filepath.Join(t.dir, "kernels_gen.go") }
func (t tree) module(file string) string  { return filepath.Join(t.dir, "spirv", file) }
func (t tree) source(file string) string  { return filepath.Join(t.dir, "src", file) }
func (t tree) modules() ([]string, error) { return filepath.Glob(t.module("*.spv")) }

// generate compiles, validates and reflects all rows, and only then replaces the committed files.
func generate(t tree) error {
	version, err := compilerVersion()
	if err != nil {
		return err
	}
	built, err := compileAll(t, shaders.Rows())
	if err != nil {
		return err
	}
	for file, code := range built {
		if err := validate(file, code); err != nil && !errors.Is(err, errNoTool) {
			return err
		}
	}
	table, err := render(shaders.Rows(), built, version)
	if err != nil {
		return err
	}
	if err := removeStale(t, built); err != nil {
		return err
	}
	for file, code := range built {
		if err := os.WriteFile(t.module(file), code, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(t.table(), table, 0o644)
}

// verify holds the committed files against the table, and against a fresh compilation where the compiler is the one
// that they record: another version may well choose other instructions.
func verify(t tree) error {
	committed, err := consistent(t)
	if err != nil {
		return err
	}
	for file, code := range committed {
		if err := validate(file, code); errors.Is(err, errNoTool) {
			fmt.Println("gen: no spirv-val: validation skipped")
			break
		} else if err != nil {
			return err
		}
	}
	return recompile(t, committed)
}

// consistent reads the modules and holds kernels_gen.go against them and the table.
func consistent(t tree) (map[string][]byte, error) {
	committed, err := readModules(t)
	if err != nil {
		return nil, err
	}
	table, err := render(shaders.Rows(), committed, shaders.CompilerVersion)
	if err != nil {
		return nil, err
	}
	if old, err := os.ReadFile(t.table()); err != nil || !bytes.Equal(old, table) {
		return nil, fmt.Errorf("%s does not fit spirv/ and variants.go: run make shaders", t.table())
	}
	return committed, nil
}

func recompile(t tree, committed map[string][]byte) error {
	version, err := compilerVersion()
	if err != nil || version != shaders.CompilerVersion {
		fmt.Printf("gen: recompilation skipped: committed files are by %q, here is %q\n", shaders.CompilerVersion, version)
		return nil
	}
	built, err := compileAll(t, shaders.Rows())
	if err != nil {
		return err
	}
	for file, code := range built {
		if !bytes.Equal(code, committed[file]) {
			return fmt.Errorf("%s differs from its source: run make shaders", t.module(file))
		}
	}
	return nil
}

// readModules reads spirv/, which must hold the table's files and no others.
func readModules(t tree) (map[string][]byte, error) {
	wanted := files(shaders.Rows())
	paths, err := t.modules()
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	for _, path := range paths {
		file := filepath.Base(path)
		if _, ok := wanted[file]; !ok {
			return nil, fmt.Errorf("%s is in no row of variants.go", path)
		}
		if all[file], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func removeStale(t tree, built map[string][]byte) error {
	paths, err := t.modules()
	for _, path := range paths {
		if _, ok := built[filepath.Base(path)]; !ok && err == nil {
			err = os.Remove(path)
		}
	}
	return err
}
