// Package lint holds the rules of the source tree that no tool checks.
package lint

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/edgeadapt/edgeadapt/"

// allowed lists, by package folder, which of our packages it may import, tests left out. A trailing /... covers the
// folders below, in either place.
var allowed = map[string][]string{
	"quant":                            {},
	"shaders":                          {},
	"shaders/internal/...":             {"shaders", "shaders/internal/..."},
	"vulkan":                           {"shaders"},
	"vulkan/...":                       {"vulkan", "vulkan/...", "shaders"},
	"sdk/internal/tensor":              {},
	"sdk/internal/disk":                {},
	"sdk/internal/disk/disktest":       {"sdk/internal/disk"},
	"sdk/internal/checkpoint":          {"sdk/internal/tensor", "sdk/internal/disk"},
	"sdk/internal/checkpoint/pth":      {"sdk/internal/checkpoint", "sdk/internal/tensor"},
	"sdk/internal/golden":              {"sdk/internal/tensor", "sdk/internal/checkpoint"},
	"sdk/internal/window":              {},
	"sdk/internal/backend":             {"sdk/internal/tensor", "sdk/internal/window", "quant"},
	"sdk/internal/ref":                 {"sdk/internal/tensor", "sdk/internal/window", "quant"},
	"sdk/internal/backend/host":        {"sdk/internal/backend", "sdk/internal/ref", "sdk/internal/tensor", "quant"},
	"sdk/internal/backend/cpu":         {"sdk/internal/backend", "sdk/internal/backend/host", "sdk/internal/ref", "sdk/internal/tensor", "sdk/internal/window", "quant", "sdk/internal/backend/cpu/..."},
	"sdk/internal/backend/cpu/...":     {"sdk/internal/backend/cpu/...", "quant"},
	"sdk/internal/release":             {},
	"sdk/internal/memo":                {"sdk/internal/disk"},
	"sdk/internal/backend/selftest":    {"sdk/internal/backend", "sdk/internal/backend/host", "sdk/internal/window", "quant"},
	"sdk/internal/backend/gpu":         {"sdk/internal/memo", "sdk/internal/backend/selftest", "sdk/internal/backend", "sdk/internal/tensor", "sdk/internal/window", "vulkan", "shaders", "quant"},
	"sdk/internal/backend/gpu/gputest": {"sdk/internal/backend", "sdk/internal/backend/gpu"},
	"sdk/internal/backend/backendtest": {"sdk/internal/...", "quant"},
	"sdk/internal/nn":                  {"sdk/internal/backend", "sdk/internal/tensor", "sdk/internal/window", "sdk/adapter", "sdk/model", "quant"},
	"sdk/internal/calibrate":           {"sdk/internal/nn", "sdk/internal/backend", "sdk/internal/tensor", "sdk/model", "quant"},
	"sdk/internal/profile":             {"sdk/internal/backend", "quant"},
	"sdk/internal/lint":                {},
	"sdk/internal/jpeg":                {},
	"sdk/data":                         {"sdk/internal/tensor", "sdk/internal/jpeg"},
	"sdk/library":                      {"sdk/adapter"},
	"sdk/metrics":                      {},
	"sdk/adapter":                      {"sdk/internal/tensor", "sdk/internal/checkpoint"},
	"sdk/model":                        {"sdk/internal/tensor", "sdk/internal/checkpoint", "sdk/internal/checkpoint/pth", "quant"},
	"sdk/backbones/vits14":             {"sdk/model"},
	"sdk/tune":                         {"sdk/internal/release", "sdk/internal/nn", "sdk/internal/checkpoint", "sdk/internal/disk", "sdk/internal/backend", "sdk/internal/tensor", "sdk/adapter", "sdk/data", "sdk/metrics", "sdk/model"},
	"sdk/plugin":                       {},
	"sdk/report":                       {"sdk", "sdk/data", "sdk/metrics", "sdk/tune", "sdk/report/tsne", "sdk/internal/disk"},
	"sdk/report/tsne":                  {},
	"sdk":                              {"sdk/...", "quant"},
	"cmd/edgeadapt":                    {"sdk", "sdk/..."},
	"examples/...":                     {"sdk", "sdk/..."},
}

func match(pattern, path string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return strings.HasPrefix(path, base+"/")
	}
	return pattern == path
}

// rules returns the longest entry of allowed that covers folder.
func rules(folder string) (list []string, found bool) {
	best := -1
	for pattern, l := range allowed {
		if match(pattern, folder) && len(pattern) > best {
			list, found, best = l, true, len(pattern)
		}
	}
	return list, found
}

func permitted(folder, imported string) bool {
	list, _ := rules(folder)
	for _, pattern := range list {
		if match(pattern, imported) {
			// The public packages never reach into internals from outside sdk; Go's own rule sees to that.
			return true
		}
	}
	return false
}

// TestLayering checks every import of one of our packages by another against the table.
func TestLayering(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root && d.Name() != ".." {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		checkFile(t, path, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkFile(t *testing.T, path, folder string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	if _, ok := rules(folder); !ok {
		t.Errorf("%s: folder %s has no entry in the layering table", path, folder)
	}
	for _, spec := range file.Imports {
		name, _ := strconv.Unquote(spec.Path.Value)
		if strings.HasPrefix(name, "github.com/vulkan-go/") && folder != "vulkan" {
			t.Errorf("%s imports the Vulkan binding; only package vulkan may", path)
		}
		if ours, ok := strings.CutPrefix(name, module); ok && !permitted(folder, ours) {
			t.Errorf("%s: %s may not import %s", path, folder, ours)
		}
	}
}

// TestLayeringRejects makes sure that the check can fail.
func TestLayeringRejects(t *testing.T) {
	for _, c := range []struct{ folder, imported string }{
		{"quant", "sdk/internal/tensor"},
		{"sdk/internal/nn", "sdk/internal/backend/cpu"},
		{"sdk/tune", "sdk"},
		{"vulkan", "sdk/internal/backend"},
		{"cmd/edgeadapt", "vulkan"},
	} {
		if permitted(c.folder, c.imported) {
			t.Errorf("%s may import %s", c.folder, c.imported)
		}
	}
}
