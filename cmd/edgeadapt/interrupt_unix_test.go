//go:build unix

package main

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestSignal sends this process the signal of Ctrl-C during a run that would take hours.
func TestSignal(t *testing.T) {
	out := t.TempDir()
	args := tinyTune(tinyBackbone(t, "q8c"), stripes(t, t.TempDir(), 4, "a", "b"), filepath.Join(out, "task.safetensors"), "--epochs", "100000")
	var stdout, stderr bytes.Buffer
	interrupt := func() { syscall.Kill(syscall.Getpid(), syscall.SIGINT) }
	code := run(args, strings.NewReader(""), &stdout, &trigger{Writer: &stderr, text: "adapter epoch", f: interrupt})
	if code != exitInterrupted || stdout.Len() > 0 {
		t.Errorf("exit %d, stdout %q", code, stdout.String())
	}
	if left := files(t, out); !slices.Equal(left, []string{"task.safetensors.run", "task.safetensors.run.previous"}) {
		t.Errorf("files left: %q", left)
	}
}
