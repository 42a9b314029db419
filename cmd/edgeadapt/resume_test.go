package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestInterruptedAndResumed: an interrupted run says in one line how to go on, and doing that gives the file, byte for
// byte, that an undisturbed run gives, and nothing beside it.
func TestInterruptedAndResumed(t *testing.T) {
	backbone, dir, out := tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 4, "a", "b"), t.TempDir()
	whole := filepath.Join(t.TempDir(), "task.safetensors")
	must(t, tinyTune(backbone, dir, whole)...)
	task := filepath.Join(out, "task.safetensors")
	args := tinyTune(backbone, dir, task)
	o := runUntil("adapter epoch   1", func(interrupt context.CancelFunc) { interrupt() }, args...)
	last := strings.Split(strings.TrimSpace(o.stderr), "\n")
	if o.code != exitInterrupted || o.stdout != "" || !strings.Contains(last[len(last)-1], "adapter epoch 2 of 3 with: edgeadapt tune ") ||
		!strings.HasSuffix(last[len(last)-1], " --resume") {
		t.Fatalf("exit %d, stdout %q\n%s", o.code, o.stdout, o.stderr)
	}
	checkOutcome(t, "started anew", edgeadapt(args...), exitUsage, "--resume")
	checkOutcome(t, "with another batch", edgeadapt(append(args, "--resume", "--batch", "3")...), exitData, "batch was 4, is 3")
	o = must(t, append(args, "--resume")...)
	if !strings.Contains(o.stderr, "resuming from "+task+".run, at adapter epoch 2 of 3") || strings.Contains(o.stderr, "probe ") {
		t.Errorf("stderr %q", o.stderr)
	}
	if left := files(t, out); !slices.Equal(left, []string{"task.safetensors"}) {
		t.Errorf("files left: %q", left)
	}
	a, _ := os.ReadFile(whole)
	b, _ := os.ReadFile(task)
	if len(a) == 0 || !bytes.Equal(a, b) {
		t.Error("the resumed file is not that of an undisturbed run")
	}
	if o = must(t, append(args, "--resume")...); !strings.Contains(o.stderr, "beginning anew") {
		t.Errorf("nothing to resume: stderr %q", o.stderr)
	}
}

// TestInterruptedEarly leaves nothing where nothing was learnt.
func TestInterruptedEarly(t *testing.T) {
	out := t.TempDir()
	args := tinyTune(tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 4, "a", "b"), filepath.Join(out, "task.safetensors"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := runContext(ctx, args, strings.NewReader(""), &stdout, &stderr)
	if code != exitInterrupted || !strings.Contains(stderr.String(), "nothing was written") || len(files(t, out)) > 0 {
		t.Errorf("exit %d, %q, files %q", code, stderr.String(), files(t, out))
	}
}

// TestOutputFails: training is over when the adapter's place turns out to be a folder; the result is saved elsewhere, and
// the checkpoint stays for another try.
func TestOutputFails(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	backbone, dir, out := tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 4, "a", "b"), t.TempDir()
	task := filepath.Join(out, "task.safetensors")
	args := tinyTune(backbone, dir, task)
	o := runUntil("adapter epoch", func(context.CancelFunc) { os.Mkdir(task, 0o755) }, args...)
	saved, err := filepath.Glob(filepath.Join(os.TempDir(), "*", "task.safetensors"))
	if err != nil || len(saved) != 1 || o.code == exitOK || !strings.Contains(o.stderr, saved[0]) || !strings.Contains(o.stderr, task+".run is kept") {
		t.Fatalf("exit %d, saved as %q, %v\n%s", o.code, saved, err, o.stderr)
	}
	if err := os.Remove(task); err != nil {
		t.Fatal(err)
	}
	if o = must(t, append(args, "--resume")...); !strings.Contains(o.stderr, "at the end of phase adapter") {
		t.Errorf("stderr %q", o.stderr)
	}
	a, _ := os.ReadFile(saved[0])
	if b, _ := os.ReadFile(task); len(a) == 0 || !bytes.Equal(a, b) {
		t.Error("the file of the second try differs")
	}
}
