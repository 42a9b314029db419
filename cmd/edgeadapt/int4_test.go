package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestInt4Commands: a backbone of int4 weights is tuned, with float and with int8 activations, measured, scored and used
// as any other, and an adapter goes on to another scheme of the same checkpoint.
func TestInt4Commands(t *testing.T) {
	backbone, data := tinyBackbone(t, "q4g32"), stripes(t, t.TempDir(), 4, "a", "b")
	for _, activations := range []string{"float", "int8", "auto"} {
		task := filepath.Join(t.TempDir(), "task.safetensors")
		must(t, tinyTune(backbone, data, task, "--activations", activations)...)
		o := must(t, "predict", filepath.Join(data, "a", "00.png"), "--adapter", task, "--backbone", backbone, "--device", "cpu", "--activations", activations)
		if !strings.Contains(o.stdout, "00.png") {
			t.Errorf("%s: predict prints %q", activations, o.stdout)
		}
		must(t, "eval", data, "--adapter", task, "--backbone", tinyBackbone(t, "q8c"), "--device", "cpu")
	}
	if o := must(t, "bench", "--backbone", backbone, "--size", "32", "--runs", "1", "--device", "cpu"); !strings.Contains(o.stdout, "q4g32, int8 activations") {
		t.Errorf("bench prints %q", o.stdout)
	}
}
