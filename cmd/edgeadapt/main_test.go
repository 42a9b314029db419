package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk"
)

// TestWholeWay goes from a checkpoint to predictions, each command on what the one before left.
func TestWholeWay(t *testing.T) {
	dir := t.TempDir()
	backbone := tinyBackbone(t, "q8c")
	data := stripes(t, filepath.Join(dir, "data", "train"), 6, "across", "down")
	stripes(t, filepath.Join(dir, "data", "test"), 3, "across", "down")
	data = filepath.Dir(data)
	task, curves := filepath.Join(dir, "task.safetensors"), filepath.Join(dir, "curves.svg")

	o := must(t, tinyTune(backbone, data, task, "--curves", curves, "--report", filepath.Join(dir, "report"), "--blocks", "2-3")...)
	for _, want := range []string{"linear probe", "adapter", "kB", "edgeadapt predict IMAGE --adapter " + task + " --backbone " + backbone} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("tune prints no %q: %s", want, o.stdout)
		}
	}
	if n := strings.Count(o.stderr, "adapter epoch"); n != 3 {
		t.Errorf("%d lines for 3 epochs: %s", n, o.stderr)
	}
	if svg, err := os.ReadFile(curves); err != nil || !strings.Contains(string(svg), "<svg") {
		t.Errorf("curves: %v, %.100q", err, svg)
	}

	if page, err := os.ReadFile(filepath.Join(dir, "report", "index.html")); err != nil || !strings.Contains(string(page), "images held out") {
		t.Errorf("report: %v", err)
	}
	if o := edgeadapt(tinyTune(backbone, data, task, "--report", data)...); o.code != 2 || !strings.Contains(o.stderr, "holds other files") {
		t.Errorf("a report among other files: exit %d, %s", o.code, o.stderr)
	}

	again := filepath.Join(dir, "again.safetensors")
	o = must(t, tinyTune(backbone, data, again, "--blocks", "2,3", "--json")...)
	o.object(t, "file", "bytes", "history", "probe_val_score", "val_score", "seconds", "data_digest")
	if !sameBytes(t, task, again) {
		t.Error("two runs with one seed give different files")
	}

	at := []string{"--backbone", backbone, "--adapter", task, "--device", "cpu"}
	m := must(t, append([]string{"eval", data, "--json"}, at...)...).object(t, "top1", "top5", "per_class", "confusion")
	if m["split"] != "test" || m["images"] != 6.0 {
		t.Errorf("eval scored split %v with %v images, expected the 6 of test", m["split"], m["images"])
	}
	if o := must(t, append([]string{"eval", data, "--split", "all"}, at...)...); !strings.Contains(o.stdout, "18 (all)") {
		t.Errorf("eval of all: %s", o.stdout)
	}
	if o := must(t, append([]string{"eval", data, "--split", "val"}, at...)...); !strings.Contains(o.stdout, "2 (val)") {
		t.Errorf("eval of the held-out images: %s", o.stdout)
	}

	must(t, append([]string{"eval", data, "--report", filepath.Join(dir, "scores")}, at...)...)
	if page, err := os.ReadFile(filepath.Join(dir, "scores", "index.html")); err != nil || !strings.Contains(string(page), "Confusion") {
		t.Errorf("report of an evaluation: %v", err)
	}

	o = must(t, append([]string{"predict", filepath.Join(data, "test/across/00.png"), filepath.Join(data, "test/down/01.png"), "--top-k", "1"}, at...)...)
	if lines := strings.Split(strings.TrimSpace(o.stdout), "\n"); len(lines) != 3 {
		t.Errorf("2 predictions of one label each take %d lines: %s", len(lines), o.stdout)
	}

	m = must(t, "inspect", task, "--json").object(t, "kind", "fingerprint", "adapter", "record", "tensors")
	if m["kind"] != "adapter" {
		t.Errorf("kind %v", m["kind"])
	}
	must(t, append([]string{"bench", "--runs", "1", "--json"}, at...)...).object(t, "ms", "cpu_ms", "images_per_s", "rss_mb")
	must(t, "bench", "--runs", "1", "--step", "--batch", "2", "--backbone", backbone, "--device", "cpu")
	must(t, "bench", "--runs", "1", "--step", "--blocks", "2", "--backbone", backbone, "--device", "cpu")
	trace := filepath.Join(dir, "trace.json")
	if o := must(t, append([]string{"bench", "--runs", "2", "--trace", trace}, at...)...); !strings.Contains(o.stdout, "ROOFLINE") || !strings.Contains(o.stdout, "patchembed") {
		t.Errorf("bench --trace prints %s", o.stdout)
	}
	if text, err := os.ReadFile(trace); err != nil || !json.Valid(text) || !strings.Contains(string(text), `"name":"patchembed"`) {
		t.Errorf("trace %s, %v", text, err)
	}
	must(t, append([]string{"bench", "--runs", "1", "--step", "--profile", "--json"}, at...)...).object(t, "ms", "profile")
	m = must(t, "inspect", backbone, "--plan", "--device", "cpu", "--batch", "2", "--json").object(t, "weight_bytes", "passes")
	pass := m["passes"].([]any)[0].(map[string]any)
	if pass["images"] != 2.0 {
		t.Errorf("plan: a pass of %v images, expected 2", pass["images"])
	}
	arena := pass["arenas"].([]any)[0].(float64)
	if total := arena + pass["input_bytes"].(float64) + pass["scratch_bytes"].(float64); total != pass["bytes"] || pass["peak_bytes"].(float64) > arena || arena == 0 {
		t.Errorf("plan: arena %v, all %v, peak %v of %v", arena, total, pass["peak_bytes"], pass["bytes"])
	}
	if o := must(t, "inspect", backbone, "--plan", "--step", "--device", "cpu"); !strings.Contains(o.stdout, "OFFSET") || !strings.Contains(o.stdout, "linear_bwd_x") {
		t.Errorf("plan of a step: %s", o.stdout)
	}
}

func sameBytes(t *testing.T, a, b string) bool {
	t.Helper()
	x, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}

// TestFeaturesEqualGolden takes an imported task and a raw tensor through features and compares with PyTorch's numbers.
func TestFeaturesEqualGolden(t *testing.T) {
	dir := t.TempDir()
	backbone, task, out := tinyBackbone(t, "f32"), filepath.Join(dir, "par.safetensors"), filepath.Join(dir, "out.safetensors")
	must(t, "adapters", "import", filepath.Join(fixtures, "task.par.safetensors"), "--backbone", backbone, "--labels", "a,b,c,d,e", "-o", task)
	must(t, "features", "--tensor", filepath.Join(fixtures, "inputs.safetensors")+":image", "--backbone", backbone, "--adapter", task,
		"--device", "cpu", "--taps", "features,logits,block.1.output", "-o", out)
	for ours, theirs := range map[string]string{"features": "features", "logits": "logits_eval", "block.1.output": "block.1.output"} {
		if d := distance(t, out, ours, filepath.Join(fixtures, "expect.par.safetensors"), theirs); !(d < 2e-4) {
			t.Errorf("%s differs by %g", ours, d)
		}
	}
	// Control: scores without the running statistics are another tensor, and the comparison must see it.
	if d := distance(t, out, "logits", filepath.Join(fixtures, "expect.par.safetensors"), "logits_train"); d < 2e-4 {
		t.Errorf("control: logits equal those of training mode within %g", d)
	}
}

// distance is the largest difference between two tensors of files.
func distance(t *testing.T, fileA, a, fileB, b string) float64 {
	t.Helper()
	x, err := sdk.ReadTensor(fileA, a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := sdk.ReadTensor(fileB, b)
	if err != nil {
		t.Fatal(err)
	}
	if !x.Shape.Equal(y.Shape) {
		t.Fatalf("%s is %v, %s is %v", a, x.Shape, b, y.Shape)
	}
	worst := 0.0
	for i, v := range x.Data {
		worst = max(worst, float64(v-y.Data[i]), float64(y.Data[i]-v))
	}
	return worst
}

// TestDefaultBackbone uses the built-in backbone, on images.
func TestDefaultBackbone(t *testing.T) {
	dir := stripes(t, t.TempDir(), 1, "x")
	picture, out := filepath.Join(dir, "x", "00.png"), filepath.Join(dir, "out.safetensors")
	must(t, "features", picture, picture, "--taps", "features,tokens", "--pool", "cls_mean", "-o", out)
	f, err := sdk.ReadTensor(out, "features")
	if err != nil {
		t.Fatal(err)
	}
	if !f.Shape.Equal([]int{2, 768}) {
		t.Errorf("features are %v, expected class token and mean of 2 images", f.Shape)
	}
	_, meta, err := sdk.ListTensors(out)
	var images []string
	if err == nil {
		err = json.Unmarshal([]byte(meta["images"]), &images)
	}
	if err != nil || len(images) != 2 || images[0] != picture {
		t.Errorf("images %q: %v", images, err)
	}
}

func TestSmallCommands(t *testing.T) {
	must(t, "version", "--json").object(t, "version", "go", "platform")
	var list []map[string]any
	if o := must(t, "devices", "--json"); json.Unmarshal([]byte(o.stdout), &list) != nil || len(list) == 0 || list[0]["id"] != "cpu" {
		t.Errorf("devices: %s", o.stdout)
	}
	if o := must(t, "devices"); !regexp.MustCompile(`(?m)^cpu +cpu `).MatchString(o.stdout) {
		t.Errorf("devices: %s", o.stdout)
	}
	if o := must(t, "completion", "bash"); !strings.Contains(o.stdout, "edgeadapt") {
		t.Error("no completion")
	}
	m := must(t, "inspect", filepath.Join(fixtures, "timm"), "--json").object(t, "backbone")
	if m["kind"] != "checkpoint" {
		t.Errorf("kind %v", m["kind"])
	}
	m = must(t, "inspect", filepath.Join(fixtures, "inputs.safetensors"), "--json").object(t, "tensors", "note")
	if m["kind"] != "safetensors" {
		t.Errorf("kind %v", m["kind"])
	}
	if o := must(t, "inspect", tinyBackbone(t, "f16"), "--tensors"); !strings.Contains(o.stdout, "blocks.2.mlp.fc2.weight    F16  [64 256]") {
		t.Errorf("inspect: %s", o.stdout)
	}
}
