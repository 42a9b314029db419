package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk/adapter"
)

const (
	abuseModule = "../../sdk/plugin/testdata/abuse.wasm" // answers by the number of classes: 1 is well, 6 traps
	trimModule  = "../../examples/plugins/trim.wasm"     // fails on nothing
)

// untrained writes an adapter of some classes for the built-in backbone's size of input or smaller.
func untrained(t *testing.T, backbone string, labels ...string) string {
	t.Helper()
	ref, err := backboneRef(backbone)
	if err != nil {
		t.Fatal(err)
	}
	p := ref.Preprocess
	a, err := adapter.New(adapter.Config{Method: adapter.Linear, Pool: adapter.PoolCLS, Task: adapter.SingleLabel, Labels: labels, Size: 32,
		Fit: adapter.Squash, Interpolation: p.Interpolation, Mean: p.Mean, Std: p.Std}, ref, 1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "task.safetensors")
	if err := a.WriteFile(file); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestAttach puts a plug-in into a file, uses it and takes it out again.
func TestAttach(t *testing.T) {
	backbone := tinyBackbone(t, "q8c")
	task, out := untrained(t, backbone, "only"), filepath.Join(t.TempDir(), "plugged.safetensors")
	picture := filepath.Join(stripes(t, t.TempDir(), 1, "x"), "x", "00.png")
	at := []string{"--backbone", backbone, "--device", "cpu", "--adapter"}

	module, err := os.ReadFile(abuseModule)
	if err != nil {
		t.Fatal(err)
	}
	o := must(t, "adapters", "attach", task, "--plugin", abuseModule, "--memory", "2", "--time", "9s", "-o", out)
	if !strings.Contains(o.stdout, "pre-processing and post-processing") {
		t.Errorf("attach: %s", o.stdout)
	}
	if o = must(t, "inspect", out); !strings.Contains(o.stdout, "of WebAssembly, 2.10 MB of memory, 9s a call") {
		t.Errorf("inspect: %s", o.stdout)
	}
	p, _ := must(t, "inspect", out, "--json").object(t, "plugin")["plugin"].(map[string]any)
	if p["bytes"] != float64(len(module)) || p["memory_bytes"] != float64(2<<20) || p["time_ms"] != 9000.0 {
		t.Errorf("inspect --json: %v", p)
	}
	if o = must(t, append(append([]string{"predict", picture}, at...), out)...); !strings.Contains(o.stdout, `{"calls":1}`) {
		t.Errorf("predict: %s", o.stdout)
	}
	var list []struct {
		Plugin struct{ Calls int }
	}
	o = must(t, append(append([]string{"predict", picture, "--json"}, at...), out)...)
	if err := json.Unmarshal([]byte(o.stdout), &list); err != nil || len(list) != 1 || list[0].Plugin.Calls != 1 {
		t.Errorf("predict --json: %s, %v", o.stdout, err)
	}

	bare := filepath.Join(t.TempDir(), "bare.safetensors")
	must(t, "adapters", "detach", out, "-o", bare)
	if !sameBytes(t, bare, task) {
		t.Error("attaching and detaching changed the adapter")
	}
	if o = must(t, append(append([]string{"predict", picture, "--json"}, at...), bare)...); strings.Contains(o.stdout, "plugin") {
		t.Errorf("after detach: %s", o.stdout)
	}
}

// TestPluginFails: an image that the plug-in fails on is reported, with all else that is wrong, and the rest is served.
func TestPluginFails(t *testing.T) {
	backbone := tinyBackbone(t, "q8c")
	six, out := untrained(t, backbone, "a", "b", "c", "d", "e", "f"), filepath.Join(t.TempDir(), "plugged.safetensors")
	must(t, "adapters", "attach", six, "--plugin", abuseModule, "--time", "10s", "-o", out)
	dir := stripes(t, t.TempDir(), 2, "x")
	one, two := filepath.Join(dir, "x", "00.png"), filepath.Join(dir, "x", "01.png")
	o := edgeadapt("predict", one, two, "--backbone", backbone, "--device", "cpu", "--adapter", out, "--json")
	if o.code != exitData || strings.Count(o.stderr, "unreachable") != 2 || !strings.Contains(o.stderr, "2 of 2 images") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	if strings.Count(o.stdout, `"error"`) != 2 {
		t.Errorf("%s", o.stdout)
	}
}

func TestAttachRefuses(t *testing.T) {
	backbone := tinyBackbone(t, "q8c")
	task, dir := untrained(t, backbone, "only"), t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	attach := func(more ...string) []string { return append([]string{"adapters", "attach", task, "-o", out}, more...) }
	for _, c := range []struct {
		name, text string
		code       int
		args       []string
	}{
		{"no plug-in", "--plugin", exitUsage, attach()},
		{"no output", "--output", exitUsage, []string{"adapters", "attach", task, "--plugin", trimModule}},
		{"memory", "--memory 257", exitUsage, attach("--plugin", trimModule, "--memory", "257")},
		{"time", "--time 11s", exitUsage, attach("--plugin", trimModule, "--time", "11s")},
		{"fraction of a millisecond", "--time 1.5ms", exitUsage, attach("--plugin", trimModule, "--time", "1500us")},
		{"no file", "none.wasm", exitData, attach("--plugin", filepath.Join(dir, "none.wasm"))},
		{"no module", "no WebAssembly module", exitData, attach("--plugin", task)},
		{"large file", "limit is 8388608", exitData, attach("--plugin", write(t, filepath.Join(t.TempDir(), "big"), make([]byte, 8<<20+1)))},
		{"no adapter", "corrupt file", exitData, []string{"adapters", "attach", trimModule, "--plugin", trimModule, "-o", out}},
		{"nothing to detach", "has no plug-in", exitData, []string{"adapters", "detach", task, "-o", out}},
	} {
		checkOutcome(t, c.name, edgeadapt(c.args...), c.code, c.text)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("files left: %q", left)
	}
}
