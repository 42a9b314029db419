package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/edgeadapt/edgeadapt/sdk"
)

func TestUsageErrors(t *testing.T) {
	dir := stripes(t, t.TempDir(), 3, "a", "b")
	out := filepath.Join(t.TempDir(), "out.safetensors")
	backbone := tinyBackbone(t, "f32")
	tune := func(more ...string) []string { return tinyTune(backbone, dir, out, more...) }
	for _, c := range []struct {
		name, text string
		args       []string
	}{
		{"unknown command", "nonsense", []string{"nonsense"}},
		{"unknown flag", "--bogus", []string{"tune", dir, "-o", out, "--bogus"}},
		{"no data", "DATA", []string{"tune"}},
		{"two folders", "unexpected", []string{"tune", dir, dir, "-o", out}},
		{"no output", "--output", []string{"tune", dir}},
		{"block 0", "counted from 1", tune("--blocks", "0-3")},
		{"blocks beyond the depth", "1 to 3", tune("--blocks", "2-4")},
		{"blocks backwards", "backwards", tune("--blocks", "3-1")},
		{"method", "lora", tune("--method", "lora")},
		{"size", "patch 8", tune("--size", "33")},
		{"batch", "batch 1", tune("--batch", "1")},
		{"not a number", "many", tune("--epochs", "many")},
		{"pool", "max", tune("--pool", "max")},
		{"curves", ".png or .svg", tune("--curves", "curves.jpg")},
		{"no adapter", "--adapter", []string{"eval", dir}},
		{"split", "half", []string{"eval", dir, "--adapter", "x", "--split", "half"}},
		{"no image", "IMAGE", []string{"predict", "--adapter", "x"}},
		{"min-score", "--min-score", []string{"predict", "x.png", "--adapter", "x", "--min-score", "2"}},
		{"tap", "block.9.output", []string{"features", "--tensor", fixtures + "/inputs.safetensors:image", "--backbone", backbone, "--taps", "block.9.output", "-o", out}},
		{"logits without adapter", "--adapter", []string{"features", "x.png", "--taps", "logits", "-o", out}},
		{"tensor and image", "exclude", []string{"features", "x.png", "--tensor", "a:b", "-o", out}},
		{"tensor without name", "FILE:NAME", []string{"features", "--tensor", "file", "--backbone", backbone, "-o", out}},
		{"scheme", "q4", []string{"quantize", fixtures + "/timm", "-o", out, "--scheme", "q4"}},
		{"bench profile", "--all", []string{"bench", "--profile", "--all"}},
		{"plan option", "is for --plan", []string{"inspect", backbone, "--batch", "2"}},
		{"plan batch", "--batch", []string{"inspect", backbone, "--plan", "--batch", "0"}},
		{"plan size", "patch 8", []string{"inspect", backbone, "--plan", "--device", "cpu", "--size", "30"}},
		{"bench blocks", "--step", []string{"bench", "--backbone", backbone, "--blocks", "2"}},
		{"bench blocks of all", "--step", []string{"bench", "--all", "--blocks", "2"}},
		{"bench blocks too many", "there is no block 20, the backbone has 1 to 3", []string{"bench", "--backbone", backbone, "--step", "--blocks", "20"}},
		{"bench batch", "--batch", []string{"bench", "--batch", "0"}},
		{"bench size", "patch 8", []string{"bench", "--backbone", backbone, "--size", "30"}},
		{"threads", "--threads", []string{"bench", "--threads", "-1"}},
		{"adapters alone", "list", []string{"adapters"}},
	} {
		checkOutcome(t, c.name, edgeadapt(c.args...), exitUsage, c.text)
	}
	if left := files(t, filepath.Dir(out)); len(left) > 0 {
		t.Errorf("files left: %q", left)
	}
}

// checkOutcome checks the exit code, that the message has text, and that nothing but it was printed.
func checkOutcome(t *testing.T, name string, o outcome, code int, text string) {
	t.Helper()
	if o.code != code || !strings.Contains(o.stderr, text) || o.stdout != "" {
		t.Errorf("%s: exit %d, expected %d with %q\nstdout %q\nstderr %q", name, o.code, code, text, o.stdout, o.stderr)
	}
}

func TestBadFiles(t *testing.T) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "out.safetensors")
	good := stripes(t, filepath.Join(dir, "good"), 3, "a", "b")
	other := stripes(t, filepath.Join(dir, "other"), 2, "a", "z")
	oneClass := stripes(t, filepath.Join(dir, "one"), 3, "only")
	empty := filepath.Join(dir, "empty")
	noImages := stripes(t, filepath.Join(dir, "no-images"), 2, "a", "b")
	for _, d := range []string{empty, filepath.Join(noImages, "hollow")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text := write(t, filepath.Join(dir, "text.safetensors"), []byte("this is no safetensors file at all"))
	program := write(t, filepath.Join(dir, "program.pth"), []byte("\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."+ // PyTorch's container before 1.6
		"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02cos\nsystem\n(X\x04\x00\x00\x00truetR.\x80\x02]."))
	pickle := write(t, filepath.Join(dir, "list.pth"), []byte("\x80\x04]."))
	backbone := tinyBackbone(t, "q8c")
	task := filepath.Join(t.TempDir(), "task.safetensors")
	must(t, tinyTune(backbone, good, task)...)
	whole, err := os.ReadFile(task)
	if err != nil {
		t.Fatal(err)
	}
	half := write(t, filepath.Join(dir, "half.safetensors"), whole[:len(whole)/2])
	image := filepath.Join(good, "a", "00.png")
	for _, c := range []struct {
		name, text string
		args       []string
	}{
		{"no such folder", "no such folder", tinyTune(backbone, filepath.Join(dir, "none"), out)},
		{"empty folder", "no class folders", tinyTune(backbone, empty, out)},
		{"one class", "one class", tinyTune(backbone, oneClass, out)},
		{"class without images", "hollow", tinyTune(backbone, noImages, out)},
		{"output in no folder", filepath.Join(dir, "none"), tinyTune(backbone, good, filepath.Join(dir, "none", "a.safetensors"))},
		{"output below a file", "text.safetensors", tinyTune(backbone, good, filepath.Join(text, "a.safetensors"))},
		{"output is a folder", "directory", tinyTune(backbone, good, dir)},
		{"no backbone file", "none", tinyTune(filepath.Join(dir, "none"), good, out)},
		{"backbone is text", "text.safetensors", tinyTune(text, good, out)},
		{"adapter for a backbone", `is "adapter"`, tinyTune(task, good, out)},
		{"half an adapter", "half.safetensors", []string{"predict", image, "--backbone", backbone, "--adapter", half}},
		{"adapter of another backbone", "--backbone", []string{"predict", image, "--adapter", task}},
		{"class that the adapter lacks", `"z"`, []string{"eval", other, "--backbone", backbone, "--adapter", task}},
		{"inspect text", "text.safetensors", []string{"inspect", text}},
		{"inspect nothing", "none", []string{"inspect", filepath.Join(dir, "none")}},
		{"quantize text", "text.safetensors", []string{"quantize", text, "-o", out}},
		{"quantize MAE without heads", "--heads", []string{"quantize", fixtures + "/mae.pth", "-o", out}},
		{"quantize a program", `"os.system"`, []string{"quantize", program, "-o", out}},
		{"quantize a pickle", "magic number", []string{"quantize", pickle, "-o", out}},
		{"quantize an adapter", "expected those of", []string{"quantize", task, "-o", out}},
		{"import text", "text.safetensors", []string{"adapters", "import", text, "--backbone", backbone, "-o", out}},
		{"no such tensor", "nothing", []string{"features", "--tensor", fixtures + "/inputs.safetensors:nothing", "--backbone", backbone, "-o", out}},
		{"tensor of wrong shape", "[3, 5]", []string{"features", "--tensor", fixtures + "/inputs.safetensors:target_multi", "--backbone", backbone, "-o", out}},
		{"only unreadable images", "text.safetensors", []string{"features", text, "--backbone", backbone, "-o", out}},
	} {
		checkOutcome(t, c.name, edgeadapt(c.args...), exitData, c.text)
	}
	if left := files(t, filepath.Dir(out)); len(left) > 0 {
		t.Errorf("files left: %q", left)
	}
}

func TestNoSuchDevice(t *testing.T) {
	checkOutcome(t, "device", edgeadapt("bench", "--device", "vulkan:99"), exitDevice, "vulkan:99")
}

// TestUnreadableAmongGood leaves out what cannot be read, says so, and serves the rest.
func TestUnreadableAmongGood(t *testing.T) {
	backbone := tinyBackbone(t, "q8c")
	dir := stripes(t, t.TempDir(), 4, "a", "b")
	for i := range 12 {
		write(t, filepath.Join(dir, "b", fmt.Sprintf("damaged%02d.png", i)), []byte("\x89PNG\r\n\x1a\n and then nothing"))
	}
	task := filepath.Join(t.TempDir(), "task.safetensors")
	o := must(t, tinyTune(backbone, dir, task)...)
	for _, want := range []string{"12 unreadable", "damaged09.png", "and 2 more"} {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("tune does not say %q: %s", want, o.stderr)
		}
	}
	bad, missing, good := filepath.Join(dir, "b", "damaged00.png"), filepath.Join(dir, "none.png"), filepath.Join(dir, "a", "00.png")
	o = edgeadapt("predict", bad, good, missing, good, "--backbone", backbone, "--adapter", task)
	if o.code != exitData || strings.Count(o.stdout, good) != 2 || !strings.Contains(o.stderr, bad) || !strings.Contains(o.stderr, missing) {
		t.Errorf("predict: exit %d\n%s\n%s", o.code, o.stdout, o.stderr)
	}
	o = edgeadapt("predict", bad, good, "--backbone", backbone, "--adapter", task, "--json")
	if first, second, ok := strings.Cut(o.stdout, good); !ok || !strings.Contains(first, `"error"`) || strings.Contains(second, `"error"`) {
		t.Errorf("predict --json: %s", o.stdout)
	}
	o = must(t, "eval", dir, "--backbone", backbone, "--adapter", task, "--json")
	if m := o.object(t, "skipped"); m["images"] != 8.0 {
		t.Errorf("eval scored %v images, expected 8", m["images"])
	}
}

// TestOneImageClass trains on a class that has a single image, and warns.
func TestOneImageClass(t *testing.T) {
	dir := stripes(t, t.TempDir(), 4, "a", "b")
	stripes(t, dir, 1, "rare")
	o := must(t, tinyTune(tinyBackbone(t, "q8c"), dir, filepath.Join(t.TempDir(), "task.safetensors"))...)
	if !strings.Contains(o.stderr, `warning: class "rare"`) {
		t.Errorf("no warning: %s", o.stderr)
	}
}

// TestRescue keeps a finished result whose place has gone.
func TestRescue(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	full := &os.PathError{Op: "write", Path: "out", Err: errors.New("no space left on device")}
	dir := t.TempDir()
	err := saveOr(filepath.Join(dir, "task.safetensors"), func(path string) error {
		if filepath.Dir(path) == dir {
			return full
		}
		return os.WriteFile(path, []byte("result"), 0o644)
	})
	if !errors.Is(err, full) || code(t.Context(), err) != exitData {
		t.Fatalf("error %v", err)
	}
	saved, err := filepath.Glob(filepath.Join(os.TempDir(), "*", "task.safetensors"))
	if err != nil || len(saved) != 1 || !strings.Contains(fmt.Sprint(saved), "task") {
		t.Errorf("saved as %q, %v", saved, err)
	}
	if err := saveOr("x", func(string) error { return full }); !errors.Is(err, full) {
		t.Errorf("without any place: %v", err)
	}
	if left := files(t, os.TempDir()); len(left) != 1 {
		t.Errorf("files left: %q", left)
	}
}

// TestPlaceVanishes removes the output's folder during a run; the result must survive in the temporary folder.
func TestPlaceVanishes(t *testing.T) {
	backbone, dir, out := tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 4, "a", "b"), filepath.Join(t.TempDir(), "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	args := tinyTune(backbone, dir, filepath.Join(out, "task.safetensors"), "--curves", filepath.Join(out, "curves.png"))
	o := runUntil("adapter epoch", func(context.CancelFunc) { os.RemoveAll(out) }, args...)
	saved, err := filepath.Glob(filepath.Join(os.TempDir(), "*", "task.safetensors"))
	if err != nil || len(saved) != 1 || o.code != exitData || !strings.Contains(o.stderr, saved[0]) {
		t.Fatalf("exit %d, saved as %q, %v\n%s", o.code, saved, err, o.stderr)
	}
	must(t, "predict", filepath.Join(dir, "a", "00.png"), "--backbone", backbone, "--adapter", saved[0])
}

func TestExitCodes(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), nil, exitOK},
		{t.Context(), errors.New("anything"), exitFailure},
		{t.Context(), fmt.Errorf("at: %w", sdk.ErrCheck), exitCheck},
		{t.Context(), sdk.ErrOutOfMemory, exitDevice},
		{t.Context(), sdk.ErrDeviceLost, exitDevice},
		{t.Context(), fmt.Errorf("at: %w", fs.ErrNotExist), exitFailure}, // not of a file operation
		{t.Context(), &fs.PathError{Err: fs.ErrPermission}, exitData},
		{t.Context(), context.Canceled, exitFailure}, // nobody interrupted
		{cancelled, fmt.Errorf("at: %w", context.Canceled), exitInterrupted},
		{cancelled, sdk.ErrCorrupt, exitData}, // failed before the interrupt was seen
	} {
		if got := code(c.ctx, c.err); got != c.want {
			t.Errorf("%v: exit code %d, expected %d", c.err, got, c.want)
		}
	}
}
