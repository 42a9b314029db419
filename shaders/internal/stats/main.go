// Command stats compiles the kernels' variants for GPUs with Mesa's RADV driver, no GPU being there, and holds what the
// driver says of the machine code against budgets and against the committed baseline. See CONTRIBUTING.md.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeadapt/edgeadapt/shaders"
)

func main() {
	tool := flag.String("tool", "shaderstats", "the compiled shaderstats program")
	dir := flag.String("dir", "shaders", "folder of the shaders; the baseline is internal/stats/baseline.tsv in it")
	families := flag.String("families", "VANGOGH,RENOIR", "GPU families to compile for")
	update := flag.Bool("update", false, "write the baseline instead of comparing with it")
	onEdge := flag.String("edge", "", "compile by edge.sh for these GPUs, or all, and write edge.tsv")
	flag.Parse()
	if *onEdge != "" {
		var names []string
		if *onEdge != "all" {
			names = strings.Split(*onEdge, ",")
		}
		if err := edge(*dir, names); err != nil {
			fmt.Fprintln(os.Stderr, "shader-stats-edge:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(*tool, *dir, strings.Split(*families, ","), *update); err != nil {
		fmt.Fprintln(os.Stderr, "shader-stats:", err)
		os.Exit(1)
	}
}

func run(tool, dir string, families []string, update bool) error {
	// Variants with texel fetches are for software drivers: no GPU gets them.
	kernels := slices.DeleteFunc(shaders.All(), func(k *shaders.Kernel) bool { return k.Needs&shaders.TexelFetch != 0 })
	now, err := measure(tool, filepath.Join(dir, "spirv"), families, kernels)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "internal", "stats", "baseline.tsv")
	if update {
		return replace(path, now.encode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%w; make shader-stats-update writes it", err)
	}
	was, err := decode(text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	complaints, notes := compare(was, now)
	for _, n := range notes {
		fmt.Println("shader-stats:", n)
	}
	if len(complaints) > 0 {
		return fmt.Errorf("%d of %d compilations:\n  %s", len(complaints), len(now.rows), strings.Join(complaints, "\n  "))
	}
	fmt.Printf("shader-stats: %d compilations for %s by %s are within their budgets\n", len(now.rows), strings.Join(families, " and "), now.driver)
	return nil
}
