package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTuneOptions tunes branches with options, looks at the file, takes it out and in again, and goes on from it.
func TestTuneOptions(t *testing.T) {
	backbone, dir := tinyBackbone(t, "f32"), t.TempDir()
	data := stripes(t, filepath.Join(dir, "data"), 6, "down", "across")
	first, task, back := filepath.Join(dir, "first.safetensors"), filepath.Join(dir, "task.safetensors"), filepath.Join(dir, "back.safetensors")
	must(t, tinyTune(backbone, data, first, "--placement", "sequential", "--branch-norm", "in", "--scale", "learn", "--start", "video", "--val", "0")...)
	if o := must(t, "inspect", first); !strings.Contains(o.stdout, "blocks 1-3, bottleneck 4, scale learned, sequential, LayerNorm in") {
		t.Errorf("inspect:\n%s", o.stdout)
	}
	if o := must(t, "adapters", "export", first, "-o", task); !strings.Contains(o.stdout, "2 classes") {
		t.Errorf("export: %s", o.stdout)
	}
	must(t, "adapters", "import", task, "--backbone", backbone, "-o", back)
	picture := filepath.Join(data, "down", "00.png")
	for _, file := range []string{first, back} {
		o := must(t, "predict", picture, "--adapter", file, "--backbone", backbone, "--device", "cpu")
		if !strings.Contains(o.stdout, "down") || !strings.Contains(o.stdout, "across") {
			t.Errorf("%s: %s", file, o.stdout)
		}
	}
	goOn := []string{"tune", data, "-o", filepath.Join(dir, "second.safetensors"), "--backbone", backbone, "--device", "cpu", "--epochs", "2", "--batch", "4", "--init", first}
	if o := must(t, append(goOn, "--val", "0.34")...); !strings.Contains(o.stdout, "went on from") || strings.Contains(o.stderr, "made anew") {
		t.Errorf("--init:\n%s%s", o.stdout, o.stderr)
	}
	if err := os.Rename(filepath.Join(data, "down"), filepath.Join(data, "up")); err != nil {
		t.Fatal(err)
	}
	if o := must(t, goOn...); !strings.Contains(o.stderr, "made anew") || !strings.Contains(o.stdout, "linear probe") {
		t.Errorf("--init with other labels:\n%s%s", o.stdout, o.stderr)
	}
}

func TestTuneOptionsRefused(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out.safetensors")
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"--placement serial", exitUsage, "parallel or sequential"},
		{"--branch-norm before", exitUsage, "none, in or out"},
		{"--scale much", exitUsage, "a finite number or learn"},
		{"--scale NaN", exitUsage, "a finite number or learn"},
		{"--start ones", exitUsage, "zero or video"},
		{"--bottleneck-scaling square", exitUsage, "fixed or proportional"},
		{"--init " + out + " --scale 1", exitUsage, "--scale together with --init"},
		{"--init " + out + " --blocks 2", exitUsage, "--blocks together with --init"},
		{"--init " + out, exitData, "no such file"},
		{"--init " + filepath.Join(fixtures, "task.par.safetensors"), exitData, `"edgeadapt"`},
	} {
		o := edgeadapt(append([]string{"tune", dir, "-o", out}, strings.Fields(c.args)...)...)
		if o.code != c.code || !strings.Contains(o.stderr, c.says) {
			t.Errorf("%s: exit %d, expected %d that says %q:\n%s", c.args, o.code, c.code, c.says, o.stderr)
		}
	}
}
